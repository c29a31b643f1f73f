"""HTTP/1.1 to Poe over connections of our own: what both clients ask and read with."""
