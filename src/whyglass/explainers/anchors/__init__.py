"""Rules that hold: conditions true of a case under which the model keeps saying what it says of the case.

What lives here, in the order in which a question meets it: ``question.py`` reads the parameters, ``given.py`` a rule of the user's
own; ``world.py`` keeps what the model says of training rows and of the shared pool, once a model; ``cuts.py`` chooses where a
numeric column or an ordered category may be cut; ``candidates.py`` lists the conditions true of a case and searches them as bit sets;
``draws.py`` draws fresh rows under a rule; ``belief.py`` weighs what the table and the draws say of candidates; ``hunt.py`` tries
candidates on draws, then holds the best of them to other draws, with ``bounds.py`` sharing the permitted error out over every look;
``blame.py`` says why there is no rule; ``explain.py`` is the row of the methods table.

What may not: a decision that depends on another row of the batch, a draw that chose a rule counted again when the rule is checked.
"""
