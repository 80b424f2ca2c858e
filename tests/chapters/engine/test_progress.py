"""The line of progress has measures alone, named after the task they were taken on."""

from chapters.engine.progress import Progress


def line(capsys, names, logs, verbose=2):
    shown = Progress(names)
    shown.set_params({"verbose": verbose, "epochs": 3, "steps": 2})
    shown.on_train_begin()
    shown.on_epoch_begin(0)
    shown.on_train_batch_end(1, {k: v for k, v in logs.items() if not k.startswith("val_")})
    shown.on_epoch_end(0, logs)
    return capsys.readouterr().out


def test_counters_are_no_measures(capsys):
    text = line(capsys, {}, {"loss": 0.5, "step": 50, "seconds": 20.7})
    assert "loss: 0.5000" in text
    assert "50.0000" not in text and "seconds" not in text


def test_accuracies_of_different_tasks_are_named(capsys):
    names = {"accuracy": "accuracy 5-way 1-shot", "val_accuracy": "val_accuracy 20-way 1-shot"}
    logs = {"accuracy": 0.75, "val_accuracy": 0.5}
    for verbose in (1, 2):
        text = line(capsys, names, logs, verbose)
        assert "accuracy 5-way 1-shot: 0.7500" in text
        assert "val_accuracy 20-way 1-shot: 0.5000" in text
        assert " accuracy: " not in text
