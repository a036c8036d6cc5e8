# lib/maillog: sources of this layer's folder.
