/* tools/password - posthouse password: make a stored password, or try one. */
#ifndef TOOLS_PASSWORD_H
#define TOOLS_PASSWORD_H

/* The words behind "password"; returns the exit status. */
int password_command(int argc, char **argv);

#endif
