"""Acquisition schemes to compare with: those of the SPAM paper's Fig. 5, over our probabilities and our questions."""
