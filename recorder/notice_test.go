package recorder

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/internal/testing/camtest"
	"github.com/preroll/preroll/recorder/status"
)

// TestNotices checks that a device's mail about its own state saves nothing and that Why says so. A mail that only
// mentions a battery is an alarm.
func TestNotices(t *testing.T) {
	t.Parallel()
	cam := startCamera(t, camtest.Small(10), camtest.Options{})
	r := start(t, testSettings(t, testCamera("door", cam)), t.TempDir())
	r.filled("door", 2*time.Second)
	r.mail("door", "NVR", "EVENT TYPE: HDD Full")
	if list := r.events("door"); len(list) != 0 {
		t.Errorf("a full disk made %+v", list)
	}
	list, err := r.Why(t.Context(), "door", time.Now())
	if err != nil || !slices.ContainsFunc(list, func(f status.Finding) bool {
		return strings.Contains(f.Text.String(), "it told of the device itself (disk)") &&
			strings.Contains(f.Hint.String(), "to: door")
	}) {
		t.Errorf("%+v, %v", list, err)
	}
	r.mail("door", "Alarm from camera, battery 85%", "Picture attached")
	r.mail("door", "Alarm", "Alarm Event: Temperature Alarm\r\nAlarm Input Channel: 1")
	if list := r.events("door"); len(list) != 1 || list[0].TriggerCount != 2 {
		t.Errorf("two alarms made %+v", list)
	}
}
