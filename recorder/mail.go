package recorder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/preroll/preroll/recorder/clip"
	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/event"
	"github.com/preroll/preroll/recorder/status"
	"github.com/preroll/preroll/recorder/text"
	"github.com/preroll/preroll/recorder/trigger"
)

// receiveMail runs the mail server, and restarts it when its settings change.
func (r *Recorder) receiveMail(ctx context.Context) error {
	for ctx.Err() == nil {
		serving, cancel := context.WithCancel(ctx)
		s := trigger.Server{
			Settings: r.Settings().SMTP, CertDir: r.paths.State, Log: r.log, Connections: &r.connections,
			Cameras:   func() []config.Camera { return r.Settings().Cameras },
			Quiet:     r.quiet,
			Picture:   r.picture,
			Keep:      r.keepMail,
			Received:  r.inbox.Received,
			Unmatched: r.inbox.Unmatched,
			Left:      r.left,
			Listening: r.inbox.Listening,
			Refused:   r.inbox.Refused,
		}

		var server errgroup.Group
		server.Go(func() error { return s.Run(serving, r.mailTrigger) })
		select {
		case <-ctx.Done():
		case <-r.mailed:
		}
		cancel()
		if err := server.Wait(); err != nil {
			return err
		}
	}

	return nil
}

// quiet returns Off if the camera is switched off, Paused if Preroll is paused, and else Alarm. Alarms save nothing in
// the first two cases, because the owner wants it so.
func (r *Recorder) quiet(id string) trigger.Kind {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c, known := r.settings.Camera(id); known && !c.Enabled {
		return trigger.Off
	}
	if r.pause.On && !pauseExpired(r.pause) {
		return trigger.Paused
	}
	return trigger.Alarm
}

// mailTrigger saves the alarm of a mail. It saves nothing if the camera was switched off in the meantime.
func (r *Recorder) mailTrigger(ctx context.Context, id string, t event.Trigger) (string, error) {
	event, err := r.Trigger(ctx, id, t)
	if errors.Is(err, ErrOff) {
		r.left(trigger.Outcome{Kind: trigger.Alarm, Cameras: []string{id},
			Quiet: map[string]trigger.Kind{id: trigger.Off}}, t)
		return "", nil
	}
	if err != nil {
		r.inbox.Failed(id, t, err)
		return "", err
	}
	r.inbox.Alarm(id, t, event)
	return event, nil
}

// left records a mail that saves nothing, or that saves nothing for some of its cameras.
func (r *Recorder) left(o trigger.Outcome, t event.Trigger) {
	paused := r.inbox.Left(o, t)
	r.mu.Lock()
	r.pause.Missed += paused
	r.mu.Unlock()
	r.hub.statusChanged()
}

// picture gives the picture of a mail to its event, if the event is still open.
func (r *Recorder) picture(ctx context.Context, id, event string, data []byte) {
	end := clip.Suffixes[0]
	if bytes.HasPrefix(data, []byte("\x89PNG")) {
		end = clip.Suffixes[1]
	}
	r.cameras.Attach(ctx, id, event, clip.Attachment{Data: data, End: end})
}

// keepMail keeps a mail beside the clip of its event.
func (r *Recorder) keepMail(ctx context.Context, id, event string, mail []byte) {
	r.cameras.Attach(ctx, id, event, clip.Attachment{Data: mail, End: clip.Suffixes[2]})
}

// DropUnmatched empties the list of mails that fit no camera.
func (r *Recorder) DropUnmatched() { r.inbox.DropUnmatched() }

func (r *Recorder) connectionsPath() string { return filepath.Join(r.paths.State, "connections.json") }

// saveMailState writes what outlives a restart: the mails that fit no camera, and the last connections.
func (r *Recorder) saveMailState() {
	r.inbox.Save()
	if err := r.connections.Save(r.connectionsPath()); err != nil {
		r.log.Warn("connections of cameras were not written", "err", err)
	}
}

// Connections returns the last connections to the mail server, newest first.
func (r *Recorder) Connections() []status.Connection { return r.connections.List() }

// LogLines returns the last lines of the log, oldest first.
func (r *Recorder) LogLines() []string {
	if r.tail == nil {
		return nil
	}
	return r.tail.Lines()
}

// MailCamera sends a real alarm mail for a camera to the recorder's own mail server, over the network as a camera does.
// It makes it possible to test the whole way of an alarm without a camera.
func (r *Recorder) MailCamera(ctx context.Context, id string) error {
	s := r.Settings()
	c, ok := s.Camera(id)
	if !ok {
		return fmt.Errorf("%q: %w", id, ErrNoCamera)
	}
	listen := r.inbox.Status().Listen
	if listen == "" {
		return text.MailNotListening.Error()
	}
	return trigger.SendSelf(ctx, listen, s.SMTP, c)
}
