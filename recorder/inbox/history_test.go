package inbox

import (
	"fmt"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/history"
)

func TestMailsAreNotedOnce(t *testing.T) {
	var n entryLimiter
	at := time.Now()
	for i, tc := range []struct {
		kind  history.Kind
		event string
		after time.Duration
		want  bool
	}{
		{history.Mail, "e1", 0, true}, {history.Mail, "e1", time.Hour, false}, {history.Mail, "e2", time.Second, true},
		{history.MailRefused, "", 0, true}, {history.MailRefused, "", 59 * time.Second, false},
		{history.MailRefused, "", 2 * time.Minute, true},
		{history.MailTest, "", 0, true}, {history.MailTest, "", time.Second, true},
	} {
		if got := n.isNew(mailKey{tc.kind, "gate", "192.0.2.7", tc.event}, at.Add(tc.after)); got != tc.want {
			t.Errorf("%d: %s %s: %v", i, tc.kind, tc.event, got)
		}
	}
}

// TestNotesAreBounded checks that a flood of mails that are no alarm does not push everything else out of the history.
func TestNotesAreBounded(t *testing.T) {
	var n entryLimiter
	at, entries := time.Now(), 0
	for i := range 20000 {
		if n.isNew(mailKey{history.MailTest, "", fmt.Sprintf("192.0.2.%d", i%200), ""},
			at.Add(time.Duration(i)*time.Millisecond)) {
			entries++
		}
	}
	if entries > maxPerMinute {
		t.Errorf("%d notes in 20 s", entries)
	}
	if !n.isNew(mailKey{history.Mail, "gate", "192.0.2.7", "e1"}, at.Add(20*time.Second)) {
		t.Error("an alarm is not noted for it")
	}
}
