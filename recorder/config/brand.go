package config

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/preroll/preroll/recorder/text"
)

// Menus are how the cameras of a brand are made to send alarm mail. They vary with model and firmware.
type Menus struct {
	Server text.Text // where the mail server is typed in
	Boxes  text.Text // which boxes
	Alarms text.Text // where mail is switched on for alarms, and how often
	Test   text.Text // how it is tried
}

// Brand describes the cameras of a maker. In a path, {n} stands for the channel, {0} for the channel counted from 0,
// and {nn} for the channel with two digits.
type Brand struct {
	Name string
	Main string    // RTSP path of the main stream
	Sub  string    // RTSP path of the second, smaller stream
	Port int       // RTSP port
	Hint text.Text // how to switch RTSP on
	Mail Menus

	channels [2]string // main and sub path of channels above 1; empty if Main and Sub fit
	words    *regexp.Regexp
}

// Other is the name of the brand for all cameras whose maker is not known.
const Other = "Other"

// Brands are the known brands, in the order in which a screen lists them and GuessBrand tries them. The last entry is
// for all other brands. The owner of a camera may have changed its port and paths.
var Brands = []Brand{
	{Name: "Axis", Main: "/axis-media/media.amp", Sub: "/axis-media/media.amp?resolution=640x360", Port: 554,
		channels: [2]string{"/axis-media/media.amp?camera={n}", "/axis-media/media.amp?camera={n}&resolution=640x360"},
		Hint:     text.BrandAxis.With(),
		Mail: Menus{text.MailAxisServer.With(), text.MailAxisBoxes.With(), text.MailAxisAlarms.With(),
			text.MailAxisTest.With()},
		words: regexp.MustCompile(`(?i)\baxis\b`)},
	// On most models profile 1 is MJPEG and profile 2 is H.264 (support.hanwhavision.eu, "RTSP URLs").
	{Name: "Hanwha", Main: "/profile2/media.smp", Sub: "/profile3/media.smp", Port: 554,
		channels: [2]string{"/{0}/profile2/media.smp", "/{0}/profile3/media.smp"},
		Hint:     text.BrandHanwha.With(),
		Mail: Menus{text.MailHanwhaServer.With(), text.MailHanwhaBoxes.With(), text.MailHanwhaAlarms.With(),
			text.MailHanwhaTest.With()},
		words: regexp.MustCompile(`(?i)\b(hanwha|wisenet|samsung|techwin|[xqpl]n[bdopv]-[a-z]?\d)`)},
	{Name: "Hikvision", Main: "/Streaming/Channels/{n}01", Sub: "/Streaming/Channels/{n}02", Port: 554,
		Hint: text.BrandHikvision.With(),
		Mail: Menus{text.MailHikvisionServer.With(), text.MailHikvisionBoxes.With(), text.MailHikvisionAlarms.With(),
			text.MailHikvisionTest.With()},
		words: regexp.MustCompile(`(?i)(hikvision|hiwatch|\bhik\b|\bds-\d[a-z])`)},
	{Name: "Dahua / Amcrest", Main: "/cam/realmonitor?channel={n}&subtype=0",
		Sub: "/cam/realmonitor?channel={n}&subtype=1", Port: 554,
		Hint: text.BrandDahua.With(),
		Mail: Menus{text.MailDahuaServer.With(), text.MailDahuaBoxes.With(), text.MailDahuaAlarms.With(),
			text.MailDahuaTest.With()},
		words: regexp.MustCompile(`(?i)(dahua|amcrest|\blorex\b|\bdh-|\bipc-h[dfm]|\bip[2-9]m-)`)},
	{Name: "Reolink", Main: "/h264Preview_{nn}_main", Sub: "/h264Preview_{nn}_sub", Port: 554,
		Hint: text.BrandReolink.With(),
		Mail: Menus{text.MailReolinkServer.With(), text.MailReolinkBoxes.With(), text.MailReolinkAlarms.With(),
			text.MailReolinkTest.With()},
		words: regexp.MustCompile(`(?i)(reolink|\brl[cnk]\d*-)`)},
	{Name: "Uniview", Main: "/media/video1", Sub: "/media/video2", Port: 554,
		channels: [2]string{"/unicast/c{n}/s0/live", "/unicast/c{n}/s1/live"},
		Hint:     text.BrandUniview.With(),
		Mail: Menus{text.MailUniviewServer.With(), text.MailUniviewBoxes.With(), text.MailUniviewAlarms.With(),
			text.MailUniviewTest.With()},
		words: regexp.MustCompile(`(?i)(uniview|\bunv\b|\bipc[236]\d{2,3}[a-z])`)},
	{Name: "TP-Link (Tapo, VIGI)", Main: "/stream1", Sub: "/stream2", Port: 554,
		Hint: text.BrandTPLink.With(),
		Mail: Menus{text.MailTPLinkServer.With(), text.MailTPLinkBoxes.With(), text.MailTPLinkAlarms.With(),
			text.MailTPLinkTest.With()},
		words: regexp.MustCompile(`(?i)(tp-?link|\btapo\b|\bvigi\b)`)},
	{Name: "Foscam", Main: "/videoMain", Sub: "/videoSub", Port: 88,
		Hint: text.BrandFoscam.With(),
		Mail: Menus{text.MailFoscamServer.With(), text.MailFoscamBoxes.With(), text.MailFoscamAlarms.With(),
			text.MailFoscamTest.With()},
		words: regexp.MustCompile(`(?i)foscam`)},
	{Name: "Swann", Main: "/Streaming/Channels/{n}01", Sub: "/Streaming/Channels/{n}02", Port: 554,
		Hint: text.BrandSwann.With(),
		Mail: Menus{text.MailSwannServer.With(), text.MailSwannBoxes.With(), text.MailSwannAlarms.With(),
			text.MailSwannTest.With()},
		words: regexp.MustCompile(`(?i)\bswann\b`)},
	{Name: Other, Main: "/stream1", Sub: "/stream2", Port: 554,
		Hint: text.BrandOther.With(),
		Mail: Menus{text.MailOtherServer.With(), text.MailOtherBoxes.With(), text.MailOtherAlarms.With(),
			text.MailOtherTest.With()}},
}

// URL returns the RTSP URL of a stream. address is a host name or an IP address, followed by a port if the port is not
// the usual one. URL also accepts an address that was copied from a browser, but ignores its port, which belongs to the
// web page. Channels count from 1. An invalid address gives a URL with a [CheckURL].
func (b Brand) URL(address string, sub bool, channel int) string {
	a := strings.TrimSpace(address)
	scheme, rest, pasted := strings.Cut(a, "://")
	if pasted {
		a = rest
	}
	a, _, _ = strings.Cut(a, "/")
	if i := strings.LastIndexByte(a, '@'); i >= 0 {
		a = a[i+1:]
	}
	host, port, err := net.SplitHostPort(a)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(a, "["), "]"), ""
	}
	if pasted && !strings.HasPrefix(strings.ToLower(scheme), "rtsp") {
		port = ""
	}
	if port == "" && b.Port != 554 {
		port = strconv.Itoa(b.Port)
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}
	return "rtsp://" + host + b.path(sub, max(1, channel))
}

func (b Brand) path(sub bool, channel int) string {
	paths := [2]string{b.Main, b.Sub}
	if channel > 1 && b.channels[0] != "" {
		paths = b.channels
	}
	path := paths[0]
	if sub {
		path = paths[1]
	}
	n := strconv.Itoa(channel)
	nn := n
	if channel < 10 {
		nn = "0" + n
	}
	return strings.NewReplacer("{n}", n, "{nn}", nn, "{0}", strconv.Itoa(channel-1)).Replace(path)
}

// GuessBrand returns the name of the brand to which the name or model of a camera points, or "".
func GuessBrand(text string) string {
	if s, err := url.PathUnescape(text); err == nil {
		text = s
	}
	for _, b := range Brands {
		if b.words != nil && b.words.MatchString(text) {
			return b.Name
		}
	}
	return ""
}
