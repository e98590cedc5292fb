"""The register engines of a pass as C++ made from its own functions: the same bits and counts as the scans', sooner."""
