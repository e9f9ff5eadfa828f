package rule_test

import (
	"fmt"

	"github.com/preroll/preroll/recorder/trigger/rule"
)

// A mail is about the camera that its recipient names, or about the one with the rule that fits.
func ExampleSet_Match() {
	cameras := rule.New([]rule.Camera{
		{ID: "front-door", Name: "Front Door"},
		{ID: "yard", Name: "Yard", Mail: []string{"to: nvr & channel: 3"}},
	})
	for _, m := range []rule.Mail{
		{To: []string{"front-door@preroll"}},
		{To: []string{"Front Door@preroll"}}, // as some cameras spell it
		{To: []string{"nvr@preroll"}, Channel: "3"},
		{To: []string{"nvr@preroll"}, Channel: "4"},
	} {
		r := cameras.Match(m)
		fmt.Println(r.IDs, r.Why)
	}
	// Output:
	// [front-door] recipient "front-door@preroll"
	// [front-door] recipient "Front Door@preroll"
	// [yard] rule `to: nvr & channel: 3`
	// [] no camera has a rule or a mail name that fits, and none has the address that it came from
}
