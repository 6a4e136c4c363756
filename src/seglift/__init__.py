"""seglift: label a few frames, get every frame.

Turns video with sparse, coarse or synthetic segmentation labels into densely labelled training data, says how far
each label can be trusted, and trains the models that use it. The packages are floors of one house: a package imports
only packages on lower floors (see ``docs/architecture.md``).
"""

__version__ = "0.1.0"
