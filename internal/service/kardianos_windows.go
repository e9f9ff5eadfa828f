package service

import (
	"fmt"
	"os"
	"os/exec"

	"github.com/kardianos/service"
	"golang.org/x/sys/windows"
)

// account is whose rights the service has: few, and none on the network. LocalSystem would let whoever may change the
// settings do anything, because they name the FFmpeg that is run.
const account = `NT AUTHORITY\LocalService`

func configure(c *service.Config) {
	c.UserName = account
	c.Option[service.StartType] = service.ServiceStartAutomatic
	c.Option["DelayedAutoStart"] = true
	c.Option[service.OnFailure] = service.OnFailureRestart
	c.Option[service.OnFailureDelayDuration] = "1s"
	c.Option[service.OnFailureResetPeriod] = 60
	if u, err := windows.GetCurrentProcessToken().GetTokenUser(); err == nil {
		c.Arguments = append(c.Arguments, "--allow", u.User.Sid.String())
	}
}

// prepare makes the folder of the service, which the service, the administrators and this user may use.
func prepare(state string) error {
	u, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return err
	}
	if err := os.Mkdir(state, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	sd, err := windows.GetNamedSecurityInfo(state, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return err
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return err
	}
	// Anybody can make folders there, and the settings name a program that the service runs.
	if !owner.Equals(u.User.Sid) && !owner.IsWellKnown(windows.WinBuiltinAdministratorsSid) &&
		!owner.IsWellKnown(windows.WinLocalSystemSid) && !owner.IsWellKnown(windows.WinLocalServiceSid) {
		return fmt.Errorf("%s belongs to %s, who is no administrator; remove it first", state, owner)
	}
	out, err := exec.Command("icacls", state, "/inheritance:r", "/grant:r", "*S-1-5-18:(OI)(CI)F", // SYSTEM
		"/grant:r", "*S-1-5-32-544:(OI)(CI)F", // administrators
		"/grant:r", "*S-1-5-19:(OI)(CI)M", // LocalService
		"/grant:r", "*"+u.User.Sid.String()+":(OI)(CI)RX").CombinedOutput()
	if err != nil {
		return fmt.Errorf("rights of %s: %w: %s", state, err, out)
	}
	return nil
}
