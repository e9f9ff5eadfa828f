package service

import (
	"strings"
)

// unit is the name of the unit of systemd.
const unit = "preroll.service"

// restarts is what both units say of starting again.
const restarts = `ExecReload=kill -HUP $MAINPID
Restart=always
RestartSec=1
# 2: wrong use, 4: wrong settings. Only a person can help.
RestartPreventExitStatus=2 4
# The recorder reports to be alive only while segments of the cameras come.
WatchdogSec=60
TimeoutStartSec=90
`

// SystemUnit returns the unit with which systemd runs Preroll for the whole machine, with a user of its own. writable
// are folders that it may write, beside the usual ones.
func SystemUnit(program string, writable ...string) string {
	paths := "-/srv -/mnt -/media -/run/media"
	for _, w := range writable {
		paths += " " + quoted("-"+w)
	}
	return `[Unit]
Description=Preroll, which saves the seconds before something happened in front of a camera
Documentation=man:preroll(1)
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=` + quoted(program) + ` record --system --take-over
` + restarts + `# Where a desktop takes over, open events are finished first.
TimeoutStopSec=150

User=preroll
Group=preroll
UMask=0027
# Settings, list of events and, until you choose another folder, the clips
StateDirectory=preroll
StateDirectoryMode=0750
# The socket for the tray, the window and the commands of those in the group
RuntimeDirectory=preroll
RuntimeDirectoryMode=0750

# Passwords need not be in the settings. This is the password of the camera front:
#LoadCredential=PREROLL_CAMERA_FRONT_PASSWORD:/etc/preroll/front.password

# For alarm mails on port 25
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE

# The RAM disk counts, too.
MemoryMax=80%
TasksMax=1024
LimitNOFILE=65536
OOMPolicy=continue
OOMScoreAdjust=-300

# An archive elsewhere needs: systemctl edit preroll, [Service], ReadWritePaths=/its/folder
ProtectSystem=strict
ReadWritePaths=` + paths + `
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
# The ring lies in /dev/shm and must outlive a restart.
RemoveIPC=no
NoNewPrivileges=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`
}

// UserUnit returns the unit with which systemd runs Preroll for one user. arguments are added to the command.
func UserUnit(program string, arguments ...string) string {
	command := quoted(program) + " record --take-over"
	for _, a := range arguments {
		command += " " + argument(a)
	}
	return `[Unit]
Description=Preroll, which saves the seconds before something happened in front of a camera
Documentation=man:preroll(1)
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=` + command + `
` + restarts + `TimeoutStopSec=150
OOMPolicy=continue
NoNewPrivileges=yes

[Install]
WantedBy=default.target
`
}

// argument returns an argument of the program as it is written in a unit (systemd.service(5), "Command lines").
func argument(s string) string { return quoted(strings.ReplaceAll(s, `$`, `$$`)) }

// quoted returns a path as it is written in a unit (systemd.syntax(7), systemd.unit(5), "Specifiers").
func quoted(s string) string {
	s = strings.ReplaceAll(s, `%`, `%%`)
	if s != "" && !strings.ContainsAny(s, " \t\n\r\"'\\;") {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`
}
