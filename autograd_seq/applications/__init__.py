"""Recurrent networks on real sequences: one application a file, each with its baselines; `autograd-seq gallery` runs them.

Every file reads alike: what is asked, the equations, the data with source and licence, then `run`, which trains from several
seeds and scores the model beside its baselines on data that neither training nor the choice of the step to stop at has seen.

- `outcome`: what an application is, what it returns, and the tables of it
- `data_files`: files of installed packages (`pip install 'autograd-seq[data]'`); nothing is downloaded
- `training`: training with early stopping, from several seeds
- `baselines`: autoregressions, and scores
- `gallery`: the list of all applications, the table, the page of pictures
"""
