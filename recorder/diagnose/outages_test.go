package diagnose

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/preroll/preroll/recorder/history"
	"github.com/preroll/preroll/recorder/text"
)

func TestOutages(t *testing.T) {
	begin := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	at := func(minute int) time.Time { return begin.Add(time.Duration(minute) * time.Minute) }
	entry := func(minute int, k history.Kind, camera string) history.Entry {
		return history.Entry{Time: at(minute), Kind: k, Camera: camera, Text: text.Plain(camera + " is away")}
	}
	for name, tc := range map[string]struct {
		entries  []history.Entry
		from, to int
		want     string
	}{
		"a camera that comes back": {[]history.Entry{entry(0, history.Started, ""), entry(1, history.Recording, "gate"),
			entry(5, history.NotRecording, "gate"), entry(6, history.NotRecording, "gate"),
			entry(9, history.Recording, "gate")}, 0, 60, "gate 5-9 gate is away"},
		"two at once, one still lasts": {[]history.Entry{entry(5, history.NotRecording, "gate"),
			entry(6, history.NotRecording, "yard"), entry(9, history.Recording, "yard")}, 0, 60,
			"gate 5-60 gate is away, yard 6-9 yard is away"},
		"switched off is none": {[]history.Entry{entry(5, history.NotRecording, "gate"), entry(7, history.Off, "gate")},
			0, 60, "gate 5-7 gate is away"},
		"Preroll itself": {[]history.Entry{entry(5, history.NotRecording, "gate"), entry(8, history.Stopped, ""),
			entry(20, history.Started, ""), entry(21, history.Recording, "gate")}, 0, 60,
			"gate 5-8 gate is away,  8-20 Preroll was not running"},
		"a start without a stop before": {[]history.Entry{entry(5, history.NotRecording, "gate"),
			entry(20, history.Started, "")}, 0, 60, "gate 5-20 gate is away"},
		"those of the part asked for": {[]history.Entry{entry(1, history.NotRecording, "gate"),
			entry(2, history.Recording, "gate"), entry(4, history.NotRecording, "gate"),
			entry(12, history.Recording, "gate"), entry(40, history.NotRecording, "gate")}, 10, 30,
			"gate 4-12 gate is away"},
		"another process takes over": {[]history.Entry{entry(5, history.Started, ""), {Time: at(6),
			Kind: history.Stopped, Text: text.HandedOver.With()}}, 0, 60, ""},
		"an end that is written late": {[]history.Entry{entry(5, history.Started, ""), entry(6, history.Stopped, ""),
			entry(7, history.Mail, "gate")}, 0, 60, " 6-7 Preroll was not running"},
		"a moment": {[]history.Entry{{Time: at(5), Kind: history.Stopped}, {Time: at(5).Add(9 * time.Millisecond),
			Kind: history.Started}}, 0, 60, ""},
		"none": {nil, 0, 60, ""},
	} {
		var got []string
		for _, o := range Outages(tc.entries, at(tc.from), at(tc.to)) {
			got = append(got, fmt.Sprintf("%s %.0f-%.0f %s", o.Camera, o.From.Sub(begin).Minutes(),
				o.To.Sub(begin).Minutes(), o.Text))
		}
		if s := strings.Join(got, ", "); s != tc.want {
			t.Errorf("%s: got %q, want %q", name, s, tc.want)
		}
	}
}
