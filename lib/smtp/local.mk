# lib/smtp: sources of this layer's folder.
