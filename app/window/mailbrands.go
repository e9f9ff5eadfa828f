package window

import (
	"net/url"
	"strings"

	"github.com/preroll/preroll/recorder/config"
)

// mailBrand is how the cameras of a brand are made to send alarm mail. Menus are called as the camera calls them in
// English; they vary with model and firmware. docs/cameras.md has the same texts.
type mailBrand struct {
	name   string // as in config.Brands, where it is there
	server string // where the mail server is typed in
	boxes  string // which boxes
	alarms string // where mail is switched on for alarms, and how often
	test   string // how it is tried
}

// mailBrands are the brands whose menus are known; the last one is for all others.
var mailBrands = []mailBrand{
	{"Reolink",
		"App or web page: Settings > Surveillance > Email Alerts > Email Settings (older: Settings > Email > Setup). A camera behind a Reolink recorder sends through the recorder: set it there.",
		"Its list of mail providers does not matter: choose Other or type the server yourself. It wants a sender address and a password: any will do. SSL or TLS on or off.",
		"Attachment (or Email content): Picture, not video. Interval: the shortest. Then switch Email Alerts on, and in its Schedule tick Person, Vehicle, Animal or Any Motion for the whole week.",
		"Email Test (or Test)."},
	{"Hikvision",
		"Configuration > Network > Advanced Settings > Email (newer: Configuration > Event > Alarm Settings > Alarm Linkage Settings > Email). A recorder: Configuration > Network > Email.",
		"Sender's Address: anything@camera. E-mail Encryption: None, or SSL/TLS with or without STARTTLS. Authentication: off, or any user and password. Attached Image: on. Interval: 2 s.",
		"Configuration > Event > Basic Event > Motion Detection (or Smart Event) > Linkage Method: tick Send Email, and set the Arming Schedule.",
		"Test, beside the receiver. Save first."},
	{"Dahua / Amcrest",
		"Setup > Network > SMTP (Email) (newer: Setting > Network > Email). Lorex and many unnamed ones are the same.",
		"Anonymous (or Login Anonymously): on, or any user and password. Authentication (or Encryption): None, SSL or TLS. Attachment: on. Interval: 0 s. Health Mail (or Keep Alive) does no harm.",
		"Setup > Event > Video Detection > Motion Detect (and IVS, Smart Motion Detection): tick Send Email, and set the working period.",
		"Email Test (or Test). Save first."},
	{"Axis",
		"System > Events > Device events > Recipients > Add recipient, type Email (older: Setup > Events > Recipients > Add).",
		"Encryption: none, TLS or STARTTLS. Validate server certificate: off, since Preroll makes its own certificate. User and password: empty.",
		"In Rules add one with the condition (such as motion by AXIS Object Analytics or VMD) and the action Send images through email (or Send notification to email).",
		"Test, in the recipient."},
	{"Hanwha",
		"Setup > Event > FTP / E-mail (newer: Event > Notifications > E-mail).",
		"Use authentication: off, or any user and password. Use SSL: on or off. Sender: anything@camera.",
		"Setup > Event > Event setup (or Analytics > Motion detection): in the action settings tick E-mail, and set the activation time to always.",
		"Test, where the firmware has it; otherwise move in front of the camera."},
	{"Uniview",
		"Setup > Network > E-mail (newer: Setup > System > Server > E-mail). A recorder: System > Network > Email.",
		"TLS/SSL: on or off. Server Authentication: off, or any user and password. Attach Image (or Attach Snapshot): on, with the shortest Snapshot Interval.",
		"Setup > Events > Motion Detection (or Smart) > Trigger Actions: tick E-mail, and enable the arming schedule.",
		"Test, beside the recipient."},
	{"TP-Link (Tapo, VIGI)",
		"VIGI: Settings > Network Settings (or Event) > Email, in the camera's web page or the VIGI app. Tapo cameras send no mail at all: trigger them otherwise.",
		"Encryption: off, SSL/TLS or STARTTLS. Authentication: off, or any user and password. Attach picture: on.",
		"Event > Motion Detection (or Smart Detection) > Processing Mode (or Alarm linkage): tick Send Email, and set the schedule.",
		"Test."},
	{"Foscam",
		"Settings > Network > Mail Settings.",
		"Enable: yes. TLS: None, TLS or STARTTLS. Need Authentication: No, or any user and password. Some firmware accepts no sender without a dot: take preroll@camera.lan.",
		"Settings > Detector (or Detection) > Motion Detection: tick Send E-mail and Take Snapshot, set the Trigger Interval to the shortest and the schedule to always.",
		"Test. Save first."},
	{"Swann",
		"Recorder: Menu > Network > Email > Email Configuration (older: Setup > Network > Email). The cameras send through it, one mail name for all: tell them by their channel.",
		"Setup: Manual. Encryption: Disable, SSL or TLS. User and password: any. Interval: the shortest.",
		"Menu > Alarm > Detection > Actions: tick Email for each channel. Then Network > Email Schedule for the whole week.",
		"Test Email."},
	{"Any other",
		"Look for Email, SMTP or Mail under Network, Event, Alarm or Notification in the camera's web page.",
		"Encryption: none, STARTTLS or SSL/TLS. Authentication: off, or any user and password. A sender address is often wanted: any will do. Attach a picture if it can.",
		"Switch mail on where motion detection or the smart detection is set up, often called Linkage, Action or Notification, with the shortest interval and a schedule of the whole week.",
		"Its test button, where it has one; otherwise move in front of the camera."},
}

// mailBrandOf guesses which of mailBrands a camera is of, by what is known, its name, and the path of its stream.
func mailBrandOf(c config.Camera, known string) int {
	name := config.GuessBrand(c.Name)
	if strings.Contains(strings.ToLower(c.Name), "swann") {
		name = "Swann"
	}
	if name == "" && known != "Other" {
		name = known
	}
	if u, err := url.Parse(c.URL); err == nil && name == "" {
		for _, b := range config.Brands[:len(config.Brands)-1] {
			for channel := 1; channel <= 16 && name == ""; channel++ {
				for _, sub := range []bool{false, true} {
					if of, err := url.Parse(b.URL(u.Hostname(), sub, channel)); err == nil &&
						of.RequestURI() == u.RequestURI() && len(u.Path) > len("/stream1") {
						name = b.Name
					}
				}
			}
		}
	}
	for i, b := range mailBrands {
		if b.name == name {
			return i
		}
	}
	return len(mailBrands) - 1
}
