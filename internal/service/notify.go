package service

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/preroll/preroll/recorder/status"
)

// Times of [Tell].
const (
	tellFirst = time.Second      // until it is ready
	tellLater = 10 * time.Second // afterwards; each time costs a status
	readyTime = 30 * time.Second // after it a recorder counts as started although no camera records
)

// Tell tells the service manager how the recorder is, until ctx ends: that it is ready once a camera records, how many
// cameras record, and that it is alive. A recorder is alive while segments come of the cameras that record; if none of
// them brings a segment, the service manager starts it again. Cameras that are known not to record are no reason,
// because they are tried again anyway. Tell does nothing if the service manager does not ask.
func Tell(ctx context.Context, is func(context.Context) status.Status) {
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if sent, serr := daemon.SdNotify(false, "STATUS=Starting"); serr != nil || !sent {
		return // nobody listens
	}
	if err != nil {
		watchdog = 0
	}
	tick := time.NewTicker(tellFirst)
	defer tick.Stop()
	var t teller
	t.began = time.Now()
	for {
		for _, say := range t.see(time.Now(), is(ctx), watchdog/3) {
			_, _ = daemon.SdNotify(false, say) // the manager may be gone for a moment
		}
		if t.ready {
			tick.Reset(tellLater)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping)
			return
		}
	}
}

// teller decides what is told. It is a function of what it saw.
type teller struct {
	began  time.Time
	ready  bool
	said   string
	fed    time.Time
	newest map[string]time.Time // end of each camera's newest segment when the watchdog was fed
}

// see returns what to tell for a status. The watchdog is fed every feed, if that is not 0.
func (t *teller) see(now time.Time, s status.Status, feed time.Duration) (say []string) {
	records, wanted, came, newest := 0, 0, false, map[string]time.Time{}
	for _, c := range s.Cameras {
		if c.State != status.Off {
			wanted++
		}
		if c.State == status.Recording {
			records++
		}
		newest[c.ID] = c.Newest
		came = came || !c.Newest.Equal(t.newest[c.ID]) // it may be earlier, when the clock was set
	}
	if !t.ready && (records > 0 || wanted == 0 || now.Sub(t.began) > readyTime) {
		t.ready = true
		say = append(say, daemon.SdNotifyReady)
	}
	text := fmt.Sprintf("%d of %d cameras record", records, wanted)
	if wanted == 0 {
		text = "No camera is set up"
	}
	if len(s.Problems) > 0 {
		text += ". " + strings.ReplaceAll(s.Problems[0].Text.String(), "\n", " ")
	}
	if text != t.said {
		t.said = text
		say = append(say, "STATUS="+text)
	}
	if feed > 0 && now.Sub(t.fed) >= feed && (records == 0 || came) {
		t.fed, t.newest = now, newest
		say = append(say, daemon.SdNotifyWatchdog)
	}
	return say
}
