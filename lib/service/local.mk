# lib/service: sources of this layer's folder.
