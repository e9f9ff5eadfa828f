package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

// ErrTaken means that another process already listens.
var ErrTaken = errors.New("another one is running already")

// Listen listens on a named pipe that only this user and the system can open, and with shared also the administrators
// and the users with these security identifiers, separated by commas.
func Listen(socket, shared string) (net.Listener, error) {
	u, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, fmt.Errorf("control pipe: %w", err)
	}
	may := "D:P(A;;GA;;;SY)(A;;GA;;;" + u.User.Sid.String() + ")"
	if shared != "" {
		may += "(A;;GA;;;BA)"
		for sid := range strings.SplitSeq(shared, ",") {
			if _, err := windows.StringToSid(sid); err == nil {
				may += "(A;;GRGW;;;" + sid + ")"
			}
		}
	}
	ln, err := winio.ListenPipe(socket, &winio.PipeConfig{SecurityDescriptor: may})
	if errors.Is(err, os.ErrPermission) || errors.Is(err, windows.ERROR_PIPE_BUSY) { // the first instance owns the name
		return nil, ErrTaken
	}
	if err != nil {
		return nil, fmt.Errorf("control pipe: %w", err)
	}
	return ln, nil
}

// Dial connects to a pipe. Its error is a net.OpError as on other systems, so that one check recognizes that nobody
// listens.
func Dial(ctx context.Context, socket string) (net.Conn, error) {
	c, err := winio.DialPipeContext(ctx, socket)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: err}
	}
	return c, nil
}
