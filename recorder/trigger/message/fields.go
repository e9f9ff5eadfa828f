package message

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxKey = 60 // characters

// fields returns the lines of a text that give a value, `key: value` or `key=value`. A separator within brackets
// belongs to the key, as in "Alarm Start Time(D/M/Y H:M:S): ...". Lines without a value are left out.
func fields(text string) []Field {
	var list []Field
	for l := range strings.Lines(text) {
		if f, ok := field(strings.TrimSpace(l)); ok {
			if list = append(list, f); len(list) == maxFields {
				break
			}
		}
	}

	return list
}

func field(l string) (f Field, ok bool) {
	l = strings.TrimLeft(l, "-*•·> \t")
	if r, _ := utf8.DecodeRuneInString(l); !unicode.IsLetter(r) {
		return f, false
	}
	at, width := separator(l, true)
	if at < 0 {
		at, width = separator(l, false)
	}
	if at < 0 || strings.HasPrefix(l[at+width:], "//") { // a URL
		return f, false
	}
	f = Field{Clean(l[:at]), Clean(strings.TrimLeft(l[at+width:], ":=： \t"))}
	return f, f.Key != "" && f.Value != "" && utf8.RuneCountInString(f.Key) <= maxKey
}

// separator finds the character that ends a line's key. It returns its index and width in bytes, or -1 and 0. With
// brackets, it skips what is in brackets.
func separator(l string, brackets bool) (at, width int) {
	depth := 0
	for i, r := range l {
		switch {
		case i > maxKey*utf8.UTFMax:
			return -1, 0
		case brackets && strings.ContainsRune("([（【", r):
			depth++
		case brackets && strings.ContainsRune(")]）】", r):
			depth = max(depth-1, 0)
		case r == ':' && clockHour.MatchString(l[:i]) && i+1 < len(l) && l[i+1] >= '0' && l[i+1] <= '9': // 12:34
		case depth == 0 && (r == ':' || r == '=' || r == '：'):
			return i, utf8.RuneLen(r)
		}
	}

	return -1, 0
}

var clockHour = regexp.MustCompile(`[^\pL\pN]\d{1,2}$|[T:]\d{2}$`)

// role says what a field is about.
type role int

const (
	roleNone    role = iota
	roleEvent        // what happened
	roleChannel      // the channel's name or number
	roleNumber       // the channel's number
	roleDevice       // the name of the sending device
	roleTime         // when it happened
	roleDay          // on which day, if another field has the time
	roleOther        // other fields that devices write, which are not about an event
)

// roles maps the keys of fields, as [plainKey] returns them, to roles.
var roles = map[string]role{}

func init() {
	for r, keys := range map[role]string{
		roleEvent: `event|event type|event name|events|alarm|alarm event|alarm type|alarmtype|alert|alert type|type|detection|detection type|trigger|trigger type|triggered by|
			notification type|target|target type|object|object type|smart event|event description|description|reason|cause|exception type|exception|
			ereignis|ereignistyp|ereignisart|alarmtyp|alarmart|alarmereignis|événement|evénement|type d'événement|type de l'événement|type d'alarme|alarme|
			evento|tipo de evento|tipo evento|evento de alarma|tipo de alarma|alarma|tipo di evento|evento allarme|tipo di allarme|tipo allarme|allarme|evento de alarme|tipo de alarme|
			gebeurtenis|gebeurtenistype|type gebeurtenis|alarmgebeurtenis|事件|事件类型|事件類型|报警|报警类型|报警事件|警报类型|告警类型|告警事件|イベント|イベントタイプ|イベント種別|イベント種類|アラーム|アラーム種別|アラームイベント|検知種別|
			событие|тип события|тип тревоги|тревога|тревожное событие`,
		roleChannel: `channel|channel name|camera|camera name|cam|cam name|alarm channel|alarm channel name|alarm camera|alarm camera name|alarm input channel|alarm input channel name|input channel|source|source name|video source|
			kanal|kanalname|kamera|kameraname|canal|nom du canal|nom de canal|caméra|nom de la caméra|nom de caméra|canal d'alarme|nombre del canal|nombre de canal|cámara|nombre de la cámara|nombre de cámara|
			canale|nome canale|nome del canale|telecamera|nome telecamera|nome della telecamera|nome do canal|câmera|câmara|nome da câmera|nome da câmara|kanaal|kanaalnaam|cameranaam|
			通道|通道名|通道名称|通道名稱|报警通道|摄像机|摄像机名称|摄像头|摄像头名称|监控点|チャンネル|チャンネル名|カメラ|カメラ名|канал|имя канала|название канала|камера|имя камеры|название камеры`,
		roleNumber: `channel no|channel number|channel num|channel id|ch|ch no|camera no|camera number|camera num|camera id|alarm input channel no|alarm channel no|input channel no|chan|
			kanalnummer|kanal nr|kameranummer|numéro de canal|numéro du canal|n° de canal|número de canal|número del canal|numero canale|numero di canale|número do canal|kanaalnummer|
			通道号|通道號|通道编号|通道序号|チャンネル番号|カメラ番号|номер канала|номер камеры`,
		roleDevice: `device|device name|alarm device name|alarm device|ipc name|dvr name|nvr name|xvr name|hvr name|recorder|recorder name|host|host name|hostname|server name|system name|unit name|
			gerät|gerätename|geräte name|nom de l'appareil|nom du périphérique|appareil|nombre del dispositivo|nombre de dispositivo|dispositivo|nome dispositivo|nome del dispositivo|nome do dispositivo|
			apparaat|apparaatnaam|naam apparaat|设备|设备名|设备名称|設備名稱|报警设备名称|デバイス|デバイス名|機器名|装置名|устройство|имя устройства|название устройства`,
		roleTime: `event time|alarm time|alarm start time|start time|time|date time|datetime|date and time|event date|occurred at|occurred|occurrence time|trigger time|triggered at|detection time|detected at|timestamp|local time|
			ereigniszeit|alarmzeit|uhrzeit|zeit|zeitpunkt|datum uhrzeit|heure|heure de l'événement|heure de l'alarme|date et heure|date heure|hora|hora del evento|hora de evento|hora de la alarma|hora de inicio|fecha y hora|fecha hora|
			ora|ora evento|ora dell'evento|ora allarme|data e ora|data ora|hora do evento|hora do alarme|data e hora|data hora|tijd|tijdstip|gebeurtenistijd|alarmtijd|datum en tijd|
			时间|事件时间|报警时间|报警开始时间|发生时间|告警时间|触发时间|時刻|日時|発生時刻|発生日時|イベント時刻|検知日時|アラーム時刻|время|время события|время тревоги|дата и время|начало тревоги`,
		roleDay: `date|datum|fecha|data|日期|日付|дата`,
		roleOther: `ip|ip address|ipc ip|dvr ip|nvr ip|device ip|ipc s/n|dvr s/n|nvr s/n|s/n|sn|serial|serial no|serial number|device id|device model|model|mac|mac address|alarm name|name|user|user name|username|
			subject|from|to|sender|firmware|firmware version|version|port|url|link|file|file name|filename|picture|snapshot|attachment|region|region name|zone|alarm stop time|stop time|end time`,
	} {
		for k := range strings.SplitSeq(keys, "|") {
			roles[strings.TrimSpace(k)] = r
		}
	}
}

// plainKey returns a key in lower case, without what is in brackets. One blank stands for each run of blanks, hyphens,
// underscores, dots and number signs, and for slashes unless roles has the key with its slash.
func plainKey(key string) string {
	key = bracketed.ReplaceAllString(strings.ToLower(key), " ")
	key = strings.ReplaceAll(key, "’", "'")
	key = strings.Join(strings.FieldsFunc(key, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune("-_.#", r)
	}), " ")
	if _, ok := roles[key]; ok {
		return key
	}
	return strings.Join(strings.FieldsFunc(key, func(r rune) bool { return r == ' ' || r == '/' }), " ")
}

var (
	bracketed = regexp.MustCompile(`\([^()]{0,60}\)|\[[^\[\]]{0,60}\]|（[^（）]{0,60}）|【[^【】]{0,60}】`)

	// A channel's number that stands alone: "3", "CH03", "IP-CH1", "Channel 3", "D2".
	number = regexp.MustCompile(`^(?i:(?:ip|an|analog|digital)?[- _]?(?:ch|channel|chan|kanal|canal|canale|kanaal|通道|チャンネル|канал)?[-_ .:#№]*)0*(\d{1,4})$|^([ADad]\d{1,3})$`)

	// A number, then a name: "3 (Front yard)", "CH3: Front yard", "D1 - Gate".
	numberName = regexp.MustCompile(`^(?i:(?:ip|an)?[- _]?(?:ch|channel)[-_ .]?)0*(\d{1,4})\s*[-:,(\[]\s*(.+?)\s*[)\]]?$|^([AD]\d{1,3}|\d{1,3})\s*[(\[]\s*(.+?)\s*[)\]]$`)

	// A name, then a number: "CAM 2(A2)".
	nameNumber = regexp.MustCompile(`^(.+?)\s*[(\[]\s*(?i:ch|channel)?\s*([ADad]?\d{1,4})\s*[)\]]$`)

	// A number in a sentence: "Motion Detected On Channel A2".
	spokenNumber = regexp.MustCompile(`(?i)(?:^|[^\pL\pN])(?:channel|kanal|canal|canale|kanaal|канал[еа]?)[ :#№.]{1,3}([AD]?\d{1,3})(?:$|[^\pL\pN])|通道\s{0,2}(\d{1,3})|チャンネル\s{0,2}(\d{1,3})`)
)

// channelNumber returns a channel's number without the text around it, or "" if s is no number.
func channelNumber(s string) string {
	m := number.FindStringSubmatch(s)
	if m == nil {
		return ""
	}
	return m[1] + strings.ToUpper(m[2])
}

// describe fills in what follows from the subject, the text and the fields.
func (m *Message) describe() {
	day, dayKey, timeKey := "", "", ""
	var numbered string // the number in brackets in a key
	for _, f := range m.Fields {
		key := plainKey(f.Key)
		switch roles[key] {
		case roleChannel:
			m.channel(f, key)
			if b := bracketed.FindString(f.Key); numbered == "" && len(b) > 2 {
				numbered = channelNumber(strings.Trim(b, "()[]"))
			}
		case roleNumber:
			if n := channelNumber(f.Value); n != "" {
				m.Number = first(m.Number, n)
			} else {
				m.channel(f, key)
			}
		case roleDevice:
			m.Device = first(m.Device, f.Value)
		case roleTime:
			if hasDigit(f.Value) && m.EventTime == "" {
				m.EventTime, timeKey = f.Value, f.Key
			}
		case roleDay:
			if hasDigit(f.Value) && day == "" {
				day, dayKey = f.Value, f.Key
			}
		}
	}

	m.Number = first(m.Number, numbered)
	spoken := []string{m.Subject, m.Body[:min(len(m.Body), maxSearched)]}
	if day != "" && (m.EventTime == "" || !strings.ContainsAny(m.EventTime, "-/.")) {
		m.EventTime, timeKey = strings.TrimSpace(day+" "+m.EventTime), dayKey
	}
	if m.Number == "" {
		for _, text := range spoken {
			if s := spokenNumber.FindStringSubmatch(text); s != nil {
				m.Number = channelNumber(strings.ToUpper(s[1] + s[2] + s[3]))
				break
			}
		}
	}

	for _, text := range spoken {
		if m.EventTime == "" {
			m.EventTime = Clean(spokenTime.FindString(text))
		}
	}
	m.When = parseTime(m.EventTime, timeKey)
	m.classify()
}

// channel reads a field that names a channel by name, by number or by both.
func (m *Message) channel(f Field, key string) {
	if n := channelNumber(f.Value); n != "" && !strings.HasSuffix(key, "name") {
		m.Number = first(m.Number, n)
		return
	}
	if s := numberName.FindStringSubmatch(f.Value); s != nil {
		m.Number = first(m.Number, channelNumber(s[1]+s[3]))
		m.Channel = first(m.Channel, s[2]+s[4])
		return
	}
	if s := nameNumber.FindStringSubmatch(f.Value); s != nil && strings.Contains(strings.ToLower(f.Key), "(num") {
		m.Number = first(m.Number, channelNumber(s[2]))
		m.Channel = first(m.Channel, s[1])
		return
	}
	m.Channel = first(m.Channel, f.Value)
}

func hasDigit(s string) bool { return strings.ContainsAny(s, "0123456789") }

// first returns the first text that is not empty.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
