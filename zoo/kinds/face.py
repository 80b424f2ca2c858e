"""Faces: grey pictures of people."""

from zoo.kinds.image import Image


class Face(Image):
    """Pictures of people, never of ink."""

    takes = "faces"
    task = "Name people, from one or more pictures of each."
    inverts = False
    stand_in = "sketch_faces"
    cell = (1.0, 1.55)

    def stand_in_of(self, loaded):
        """Painted faces."""
        return self.stand_in

    def options(self, loaded):
        """A set of faces has one size."""
        return {}

    def picture(self, loaded, width):
        """Painted faces."""
        return super(Image, self).picture(loaded, width)


KIND = Face()
