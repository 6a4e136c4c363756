"""One fit loop and one small file per trainable thing."""
