# lib/sandbox: sources of this layer's folder.
