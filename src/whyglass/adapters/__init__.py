"""The one door for foreign libraries: frames, file formats and models come in and go out here, nowhere else.

What lives here: one file for each kind of frame, one for the file formats, one for each model library under ``models``.
A file may import whyglass.core and the one library that it is named after; nobody pays for a library that they do not
use, so a foreign library is imported when the first object of it arrives, never by ``import whyglass``.

What may not: an explanation, a view, or a fact about a method. An adapter that cannot read a model faithfully does not
offer that capability and says why; it never guesses.

To add a model library: write ``models/<library>.py`` with ``adapt(estimator, wanted) -> Model`` and add one row to
MODELS in core/tables.py. To add a kind of frame: write ``frames_<library>.py`` with the five functions that
``frames_numpy.py`` has, and add its name in ``frames.py``.
"""
