# bounce/
