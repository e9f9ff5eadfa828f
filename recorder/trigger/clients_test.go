package trigger

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/config"
)

// python sends a mail with Python's smtplib, as many home-made triggers do.
const python = `
import smtplib, ssl, sys
mode, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
ctx = ssl.create_default_context(); ctx.check_hostname = False; ctx.verify_mode = ssl.CERT_NONE
if 'old' in mode:
    ctx.minimum_version = ctx.maximum_version = getattr(ssl.TLSVersion, 'TLSv1_1' if '1.1' in mode else 'TLSv1')
    ctx.set_ciphers('AES128-SHA:@SECLEVEL=0' if 'rsa' in mode else 'ALL:@SECLEVEL=0')
s = smtplib.SMTP_SSL(host, port, context=ctx, timeout=20) if 'first' in mode else smtplib.SMTP(host, port, timeout=20)
if 'starttls' in mode: s.starttls(context=ctx)
if 'auth' in mode:
    s.ehlo(); s.user, s.password = 'cam', 'pw'
    s.auth(mode.split('-')[-1].upper(), getattr(s, 'auth_' + mode.split('-')[-1]))
s.sendmail('cam@x', ['yard@preroll'], 'Subject: Motion\r\n\r\nEvent Type: Motion\r\n.dot\r\n')
s.quit()
`

// mode is a way in which a program sends mail.
type mode struct {
	name string
	old  bool // needs old TLS
	args string
}

// first reports whether the program speaks TLS from the first byte.
func (m mode) first() bool {
	return slices.ContainsFunc([]string{"--tlsc", "smtps:", "first", "--tls-starttls=off"}, func(s string) bool {
		return strings.Contains(m.args, s)
	})
}

// TestRealClients checks that mails of real programs arrive, in every mode that the programs have.
func TestRealClients(t *testing.T) {
	const mail = "From: cam@x\r\nTo: yard@preroll\r\nSubject: Motion\r\n\r\nEvent Type: Motion\r\n.dot\r\n"
	dir := t.TempDir()
	file, script := filepath.Join(dir, "mail"), filepath.Join(dir, "send.py")
	for name, text := range map[string]string{file: mail, script: python} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for program, modes := range map[string][]mode{
		"swaks": {
			{"plain", false, ""},
			{"login", false, "--auth LOGIN --auth-user cam --auth-password pw"},
			{"plain login", false, "--auth PLAIN --auth-user cam --auth-password pw"},
			{"STARTTLS", false, "--tls"},
			{"STARTTLS with a login", false, "--tls --auth LOGIN --auth-user cam --auth-password pw"},
			{"TLS from the first byte", false, "--tlsc"},
			{"pipelined", false, "--pipeline"},
			{"HELO", false, "--protocol SMTP"},
		},
		"curl": {
			{"plain", false, "smtp://HOST:PORT/cam"},
			{"login", false, "smtp://HOST:PORT/cam --user cam:pw --login-options AUTH=LOGIN"},
			{"plain login", false, "smtp://HOST:PORT/cam --user cam:pw --login-options AUTH=PLAIN"},
			{"login at once", false, "smtp://HOST:PORT/cam --user cam:pw --login-options AUTH=PLAIN --sasl-ir"},
			{"STARTTLS", false, "smtp://HOST:PORT/cam --ssl-reqd -k"},
			{"TLS from the first byte", false, "smtps://HOST:PORT/cam -k"},
			{"old TLS", true, "smtps://HOST:PORT/cam -k --tlsv1.0 --tls-max 1.0 --ciphers ALL:@SECLEVEL=0"},
		},
		"python3": {
			{"plain", false, "plain"},
			{"login", false, "auth-login"},
			{"plain login", false, "auth-plain"},
			{"STARTTLS", false, "starttls"},
			{"STARTTLS with a login", false, "starttls-auth-login"},
			{"TLS from the first byte", false, "first"},
			{"TLS 1.0", true, "starttls-old"},
			{"TLS 1.1 from the first byte", true, "first-old1.1"},
			{"TLS 1.0 with RSA key exchange", true, "first-old-rsa"},
		},
		"msmtp": {
			{"plain", false, "--tls=off"},
			{"login", false, "--tls=off --auth=login --user=cam --passwordeval=PW"},
			{"plain login", false, "--tls=off --auth=plain --user=cam --passwordeval=PW"},
			{"STARTTLS", false, "--tls=on --tls-starttls=on --tls-certcheck=off"},
			{"TLS from the first byte", false, "--tls=on --tls-starttls=off --tls-certcheck=off"},
			{"old TLS", true,
				"--tls=on --tls-starttls=off --tls-certcheck=off --tls-priorities=NORMAL:-VERS-ALL:+VERS-TLS1.0:%COMPAT"},
		},
	} {
		path, err := exec.LookPath(program)
		if err != nil {
			t.Errorf("%s is missing; run: .ci/setup test", program)
			continue
		}
		for _, m := range modes {
			t.Run(program+", "+m.name, func(t *testing.T) {
				t.Parallel()
				k := serve(t, func(s *config.SMTP) { s.OldTLS, s.ListenTLS = m.old, "127.0.0.1:0" })
				addr := k.addr
				// Whether a plain port recognizes TLS depends on how quick the client is, see TestPorts.
				if m.first() {
					addr = k.ports[1].Listen
				}
				host, port, _ := net.SplitHostPort(addr)
				var args []string
				for _, a := range strings.Fields(strings.NewReplacer("HOST", host, "PORT", port).Replace(m.args)) {
					args = append(args, strings.Replace(a, "=PW", "=echo pw", 1))
				}
				var in []byte
				switch program {
				case "swaks":
					args = append([]string{"--server", host, "--port", port, "--from", "cam@x", "--to", "yard@preroll",
						"--data", "@" + file, "--timeout", "20"}, args...)
				case "curl":
					args = append([]string{"-sS", "--max-time", "20", "--mail-from", "cam@x", "--mail-rcpt",
						"yard@preroll", "-T", file}, args...)
				case "python3":
					args = append([]string{script}, append(args, host, port)...)
				case "msmtp":
					args = append([]string{"-C", os.DevNull, "--host=" + host, "--port=" + port, "--from=cam@x",
						"--timeout=20"}, append(args, "yard@preroll")...)
					in = []byte(mail)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
				defer cancel()
				cmd := exec.CommandContext(ctx, path, args...)
				cmd.Stdin = bytes.NewReader(in)
				cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "OPENSSL_CONF="+os.DevNull)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v: %s", err, out)
				}
				if n := k.count("yard"); n != 1 {
					t.Errorf("%d triggers; %+v", n, k.connections.List())
				}
			})
		}
	}
}

// TestOldTLSIsOff checks that an old camera is refused by default, and that the verdict says why.
func TestOldTLSIsOff(t *testing.T) {
	path, err := exec.LookPath("curl")
	if err != nil {
		t.Fatal("curl is missing; run: .ci/setup test")
	}
	k := serve(t, func(s *config.SMTP) { s.ListenTLS = "127.0.0.1:0" })
	cmd := exec.Command(path, "-sS", "--max-time", "20", "-k", "--tlsv1.0", "--tls-max", "1.0", "--ciphers",
		"ALL:@SECLEVEL=0", "--mail-from", "cam@x", "--mail-rcpt", "yard@preroll", "-T", os.DevNull,
		"smtps://"+k.ports[1].Listen)
	cmd.Env = append(os.Environ(), "OPENSSL_CONF="+os.DevNull)
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("TLS 1.0 was accepted: %s", out)
	}
	wait(t, "the verdict", func() bool {
		l := k.connections.List()
		return len(l) == 1 && strings.Contains(l[0].Verdict.String(), "switch on old TLS")
	})
}
