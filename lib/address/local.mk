# lib/address: sources of this layer's folder.
