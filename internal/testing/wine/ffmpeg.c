/* Runs the FFmpeg of this machine for programs under wine, which can start it like one of their own: with the same
   standard input and output, and paths of Windows turned into those of this machine. It is installed as ffmpeg.exe. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* path turns C:\a\b into $WINEPREFIX/dosdevices/c:/a/b. A protocol in front, such as file:, stays. */
static char *path(char *arg)
{
	char *drive = arg;
	if (strncmp(arg, "file:", 5) == 0)
		drive += 5;
	if (!isalpha((unsigned char)drive[0]) || drive[1] != ':' || (drive[2] != '\\' && drive[2] != '/'))
		return arg;
	char *out = malloc(strlen(arg) + 4096);
	sprintf(out, "%.*s%s/dosdevices/%c:%s", (int)(drive - arg), arg, getenv("WINEPREFIX"), tolower(drive[0]), drive + 2);
	for (char *p = out + (drive - arg); *p; p++)
		if (*p == '\\')
			*p = '/';
	return out;
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	char *tool = strstr(name, "ffprobe") ? "/usr/bin/ffprobe" : "/usr/bin/ffmpeg";
	for (int i = 1; i < argc; i++)
		argv[i] = path(argv[i]);
	execv(tool, argv);
	perror(tool);
	return 127;
}
