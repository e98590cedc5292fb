"""Who does the tasks of a study: this process (``here``), or the workers of a Dask cluster (``dask``)."""
