"""The one act behind every diffusion stage: choose patches, redraw them in batches, blend them back."""
