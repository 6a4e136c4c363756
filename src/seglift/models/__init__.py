"""Networks and the dict that names them."""
