package message

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSearched bounds a text that is searched for words, in bytes: hostile text makes expressions slow.
const maxSearched = 2 << 10

// class is a kind of news and the words by which devices tell it. Words in letters stand alone; Chinese and Japanese ones
// may stand anywhere.
type class struct {
	name  string
	words *regexp.Regexp
}

// words makes the expression of a class: alternatives between word borders, which `\b` finds in ASCII only, and
// alternatives anywhere.
func words(bordered, anywhere string) *regexp.Regexp {
	x := `(?i)(?:^|[^\pL\pN])(?:` + strings.Join(strings.Fields(bordered), "") + `)(?:$|[^\pL\pN])`
	if anywhere != "" {
		x += `|` + strings.Join(strings.Fields(anywhere), "")
	}
	return regexp.MustCompile(x)
}

// labels are the classes of incidents, the more telling ones first: "Motion Detection: Person" is a person. A blank in an
// expression is written \s. The words are those of the devices' own menus and mails in English, German, French, Spanish,
// Italian, Portuguese, Dutch, Chinese, Japanese and Russian.
var labels = []class{
	{"doorbell", words(`door\s?bell(?:\spressed)?|visitors?|bell\s?ring|(?:call\s)?button\s(?:pressed|pushed)|ring\sbutton|
		(?:tür)?klingel\pL*|besucher|sonnette|visiteurs?|timbre|visitantes?|campanello|visitator[ei]|campainha|deurbel|bezoekers?|звонок|(?:дверной|в)\sзвонок|посетител\pL*`,
		`门铃|門鈴|访客|訪客|ドアホン|ドアベル|呼び鈴|来客|訪問者`)},
	{"person", words(`persons?|people|humans?|pedestrians?|faces?|human\s?body|(?:fd|hd)\salarm|
		personen\pL*|mensch(?:en)?\pL*|fußgänger|fussgänger|gesicht\pL*|personnes?|humaine?s?|visages?|piétons?|personas?|humanos?|rostros?|peatón|peatones|persone|uman[oaie]|volt[oi]|pedon[ei]|pessoas?|rostos?|pedestres?|persoon|mensen|menselijk\pL*|gezicht\pL*|voetgangers?|
		человек\pL*|люд(?:и|ей|ям)|лиц[оа]|пешеход\pL*|персон\pL*`,
		`人形|人员|人員|行人|人脸|人臉|人体|人體|有人|人物|人間|人検知|人を検|人感|顔検|顔認`)},
	{"vehicle", words(`vehicles?|cars?|trucks?|(?:motor)?bikes?|motorcycles?|(?:licen[cs]e|number)\splates?|anpr|lpr|
		fahrzeuge?\pL*|kennzeichen\pL*|véhicules?|voitures?|plaque(?:\sd'immatriculation)?|vehículos?|coches?|matrículas?|veicol[oi]|targ(?:a|he)|veículos?|carros?|voertuig\pL*|kenteken\pL*|
		автомобил\pL*|машин\pL*|транспорт\pL*|автотранспорт\pL*|номерн\pL*`,
		`车辆|車輛|机动车|非机动车|车牌|汽车|車両|車検知|自動車|ナンバープレート`)},
	{"animal", words(`animals?|pets?|dogs?|cats?|dog_cat|wildlife|tiere?|tiererkennung|haustiere?|hunde?|katzen?|animaux|chiens?|mascotas?|perros?|gatos?|animales|animal[ei]|cachorros?|animais|dier(?:en)?|huisdier(?:en)?|
		животн\pL*|собак\pL*|кошк\pL*|питом\pL*`,
		`动物|動物|宠物|寵物|猫|狗|ペット|犬`)},
	{"line crossing", words(`line\s?-?cross(?:ing|ed)?(?:\sdetection)?|cross(?:ed|ing)?\s?-?(?:the\s)?line|trip\s?-?wires?|line\s?detection|virtual\sline|border\sline|
		linien?(?:überschreitung|übertritt|überquerung|übertretung)\pL*|überschreitung|stolperdraht|franchissement(?:\sde\s(?:la\s)?ligne)?|cruce\sde\slíneas?|cruce\slínea|cruzar\slínea|(?:attraversamento|superamento|oltrepassamento)(?:\sdella|\sdi)?\slinea|cruzamento\s(?:de|da)\slinha|lijn\s?(?:overschrijding|kruising|passage)|
		пересечени\pL*(?:\sлинии)?`,
		`越界|绊线|绊网|拌线|跨线|警戒线|ラインクロス|ライン横断|ライン越え|ライン通過|境界線`)},
	{"intrusion", words(`intrusions?|intruders?|field\s?detection|region\s?(?:entrance|entering|exiting|exit)|cross\s?-?region|cross\s?zone|loitering|perimeter|area\s(?:entrance|intrusion|detection)|enter(?:ed|s|ing)?\s(?:the\s)?(?:area|zone|region)|
		eindring\pL*|einbruch\pL*|bereichs(?:eintritt|verletzung|überwachung)|intrus|intrusión|intrusione|intrusão|intrusi|indringer|inbraak|inbraakdetectie|
		вторжени\pL*|проникновени\pL*|периметр\pL*`,
		`入侵|闯入|周界|徘徊|侵入|エリア進入`)},
	{"tamper", words(`tamper\pL*|video\s?(?:mask(?:ed|ing)?|blind|loss|lost|tampering|covered)|(?:lens|camera|view|image)\s(?:is\s)?(?:covered|blocked|masked|obstructed)|scene\s?change\pL*|shelter\s?alarm|defocus\pL*|
		sabotage\pL*|manipulation\pL*|videoverlust|(?:kamera|video|bild)?(?:verdeckung|abdeckung|verdeckt)|perte\s(?:de\s)?(?:la\s)?vidéo|masquage\pL*|pérdida\sde\sv[ií]deo|manipulación|enmascaramiento|sabotaje|perdita\svideo|manomissione|oscuramento|perda\sde\sv[ií]deo|adulteração|mascaramento|obstrução|videoverlies|afgedekt|afdekking|
		потеря\sвидео(?:сигнала)?|саботаж|закрыти\pL*\s(?:объектива|камеры|видео)|маскировк\pL*|вскрыти\pL*|расфокусировк\pL*`,
		`遮挡|遮擋|视频丢失|視頻丟失|信号丢失|场景变更|虚焦|映像ロス|映像信号断|ビデオロス|妨害|いたずら|遮蔽|タンパー`)},
	{"sound", words(`audio(?:\s?(?:detect\pL*|alarm|exception|loss))?|sounds?|noise|scream\pL*|baby\s?cry(?:ing)?|crying|glass\s?break\pL*|gunshot|
		geräusch\pL*|audioerkennung|détection\ssonore|bruit|sonido|ruido|ruído|suono|rumore|geluid\pL*|
		звук\pL*|шум|аудио\pL*|плач\pL*`,
		`声音|聲音|音频|哭声|音声|音声検知|音検知|異音`)},
	{"fire", words(`fires?|smoke|flames?|feuer\pL*|brand(?:alarm|erkennung|meldung)?|rauch\pL*|flammen?\pL*|incendie|feu|fumée|incendio|fuego|humo|fumo|fiamm[ae]|fogo|fumaça|incêndio|rook\pL*|
		пожар\pL*|дым\pL*|огонь|пламя`,
		`火灾|火災|烟雾|煙霧|火点|火焰|火炎|煙`)},
	{"temperature", words(`temperatures?|thermal|thermometry|over-?\s?temperature|temperatur\pL*|températures?|temperaturas?|temperatuur|
		температур\pL*`,
		`温度|測温|测温`)},
	{"abandoned object", words(`(?:abandoned|unattended|left|missing|removed|taken|stolen)\s(?:objects?|baggages?|luggage|items?|articles?|packages?)|(?:objects?|baggages?|luggage|items?|packages?)\s(?:left|removed|removal|missing|taken|abandoned)|packages?|parcels?|
		zurückgelassen\pL*|gegenst(?:and|änd)\pL*|paket\pL*|objets?\s(?:abandonnés?|enlevés?|retirés?)|bagages?|colis|objetos?\s(?:abandonados?|retirados?)|equipaje|paquetes?|oggett[oi]\s(?:abbandonat[oi]|rimoss[oi])|bagagli?o?|pacc[oh]i?|bagagem|pakket\pL*|achtergelaten|
		(?:оставленн|забыт|унесенн|унесённ|пропавш)\pL*\s(?:предмет|вещ|объект)\pL*`,
		`物品遗留|物品搬移|遗留物|物品丢失|遺留物|置き去り|持ち去り`)},
	{"alarm input", words(`(?:digital|external|sensor|alarm)\s?-?inputs?(?:\s\d+)?|(?:alarm|sensor)\s?in(?:\s\d+)?|i/?o\s?alarm|io\salarm|local\salarm|external\salarm|di\salarm|
		alarmeingang|digitaleingang|externer\salarm|entrée\s(?:d'alarme|numérique)|entrada\s(?:de\salarma|digital|de\salarme)|ingresso\s(?:allarme|digitale)|alarmingang|
		тревожн\pL*\sвход\pL*`,
		`报警输入|外部报警|本地报警|アラーム入力|外部アラーム|センサー入力`)},
	{"motion", words(`motions?|motion\s?det\pL*|movements?|moving|vmd|md(?:\salarm)?|video\s?motion|smd|pir|pir\salarm|activity|
		bewegung\pL*|mouvements?|movimientos?|moviment[oi]|beweging\pL*|движени\pL*`,
		`移动侦测|移動偵測|移动检测|移动报警|移动目标|到移动|画面变动|动态检测|动态侦测|动检|動体|動き|動作検知|モーション`)},
}

// notices are the classes of news that are no incident.
var notices = []class{
	{"disk", words(`hdds?(?:\s?(?:full|error|failure|lost|exception|fault))?|hard\s?(?:disks?|drives?)|dis[ck]\s?(?:full|error|failure|exception|space|fault)|no\s(?:hdd|disk|storage)|(?:micro\s?)?sd\s?-?card|memory\scard|storage\s?(?:full|error|failure|exception|disruption|space|device|detection|not\sexist\pL*|low\sspace)|raid|record(?:ing)?\s(?:exception|error|failure|failed)|
		festplatte\pL*|speicherkarte\pL*|speicher(?:fehler|\svoll)|disque(?:\sdur)?|carte\s(?:sd|mémoire)|disco(?:\s(?:duro|lleno|rigido|pieno|rígido|cheio))?|tarjeta\s(?:sd|de\smemoria)|scheda\s(?:sd|di\smemoria)|cartão\s(?:sd|de\smemória)|harde\sschijf|schijf\pL*|geheugenkaart|
		(?:жестк|жёстк)\pL*\sдиск\pL*|диск\pL*|sd-карт\pL*|накопител\pL*`,
		`硬盘|硬碟|磁盘|存储|SD卡|存储卡|ハードディスク|ディスク|SDカード`)},
	{"network", words(`network\s?(?:is\s)?(?:disconnect\pL*|lost|broken|errors?|exception|abnormal\pL*|failure|down|interrupted)|net(?:work)?\s?-?broken|nic\s?broken|net\s?abort|(?:ip|mac)\s?(?:address\s)?conflict\pL*|(?:camera|ipc|device|channel)\s(?:is\s|went\s)?(?:disconnect\pL*|offline)|disconnected|off-?line|
		netzwerk(?:fehler|unterbrechung|ausfall|trennung|verbindung)|netzwerk\s(?:getrennt|unterbrochen)|(?:ip|mac)-?(?:adress(?:en)?)?\s?-?konflikt|réseau\s(?:déconnecté|interrompu|coupé)|déconnexion(?:\sréseau)?|conflit\s(?:d'adresses?\s)?(?:ip|mac)|red\sdesconectada|desconexión(?:\sde\sred)?|conflicto\s(?:de\s)?(?:direcci[oó]n\s)?(?:ip|mac)|rete\s(?:disconnessa|scollegata)|disconnessione(?:\srete)?|conflitto\s(?:di\s)?(?:indirizz[oi]\s)?(?:ip|mac)|rede\sdesconectada|desconexão|conflito\s(?:de\s)?(?:endereço\s)?(?:ip|mac)|netwerk\s(?:verbroken|onderbroken)|netwerkfout|ip-?conflict|
		сеть\s(?:отключена|недоступна|разорвана)|обрыв\s(?:сети|связи)|отключени\pL*\sсети|(?:конфликт)\s(?:ip|mac|адресов)\pL*`,
		`网络断|断网|网线|网络异常|网络故障|[Ii][Pp](?:地址)?冲突|掉线|离线|ネットワーク(?:断|切断|エラー|異常)|IPアドレス(?:の)?(?:競合|重複)`)},
	{"login", words(`illegal\s?(?:log\s?-?in|access|logon|user)|illaccess|illogin|(?:log\s?-?in|logon)\s(?:failed|failure|errors?|locked|lock|attempts?|exception)|(?:failed|invalid|unauthori[sz]ed|incorrect)\s(?:log\s?-?in|logon|access|password)|password\serror|account\s(?:is\s)?lock\pL*|
		(?:illegal\pL*|unbefugt\pL*|unzulässig\pL*|ungültig\pL*)\s(?:zugriff\pL*|anmeld\pL*|login)|anmelde(?:fehler|versuch)|(?:connexion|accès|identification)\sill[ée]gale?|acc[eè]s\snon\sautorisé|(?:inicio\sde\ssesión|acceso)\s(?:ilegal|no\sautorizado)|(?:accesso|login)\s(?:illegale|non\sautorizzato)|(?:acesso|login)\silegal|illegale\s(?:login|aanmelding|toegang)|
		(?:незаконн|нелегальн|несанкционированн)\pL*\s(?:вход|доступ|авторизац\pL*)|ошибка\sвхода`,
		`非法登录|非法訪問|非法访问|登录失败|登录锁定|不正(?:ログイン|アクセス)|ログイン失敗`)},
	{"power", words(`power\s?(?:failure|loss|lost|off|on|supply|outage|restored|cut)|power-on|re-?boot\pL*|restart\pL*|shut\s?-?down|start(?:ed)?\s?-?up|system\sready|(?:low\s)?battery(?:\s(?:low|level))?|
		stromausfall|neustart\pL*|akku\pL*|redémarr\pL*|coupure\s(?:de\scourant|d'alimentation)|reinici\pL*|corte\sde\s(?:energía|corriente)|riavvi\pL*|mancanza\sdi\scorrente|queda\sde\senergia|herstart\pL*|stroomuitval|
		перезагрузк\pL*|перезапуск\pL*|(?:отключени|потер)\pL*\sпитания|низк\pL*\sзаряд`,
		`重启|重新启动|断电|掉电|电源|电量低|再起動|停電|電源`)},
	{"system", words(`firmware|upgrades?|software\supdate|new\sversion|system\s(?:exception|error|abnormal\pL*|maintenance|failure|health)|cpu|over\s?heat\pL*|fan\s(?:error|failure|fault|speed)|health\s?(?:mail|check|report|test)|heart\s?beat|daily\sreport|status\sreport|time\ssync\pL*|configuration\schanged|
		firmware-?update|systemfehler|mise\sà\sjour|micrologiciel|actualización|aggiornamento|atualização|прошивк\pL*|обновлени\pL*`,
		`固件|升级|系统异常|心跳|ファームウェア|システムエラー`)},
}

// find returns the name of the first class that a text speaks of.
func find(classes []class, text string) string {
	for _, c := range classes {
		if c.words.MatchString(text) {
			return c.name
		}
	}
	return ""
}

var (
	// What may hold any word by chance.
	addresses = regexp.MustCompile(`(?i)\b[a-z]{3,8}://\S+|\bwww\.\S+|\S+@\S+`)
	// "No person", "without motion", "motion has ended".
	denied = regexp.MustCompile(`(?i)(?:^|[^\pL\pN])(?:no|not|non|none|without|kein\pL{0,2}|ohne|nicht|aucune?|sans|pas\sde|sin|ning[uú]n[ao]?|senza|nessun[ao]?|sem|nenhuma?|geen|zonder|нет|без|не)\s+\pL+(?:\s(?:or|oder|ou|o|of|или)\s\pL+)?`)
	// The value of a field that says it did not happen: "Person: No".
	refused = regexp.MustCompile(`(?i)^(?:no|none|not? detected|false|off|0|n/?a|-+|nein|keine?|aus|non|aucune?|faux|no detectad[oa]|falso|nessun[oa]?|não|nenhuma?|nee|geen|uit|normal|disabled|cleared|inactive|нет|выкл|否|无|無|没有|いいえ|なし|オフ)[.!]?$`)
	// The value that says only that it did: "Person: Yes".
	affirmed = regexp.MustCompile(`(?i)^(?:yes|true|on|1|detected|active|alarm|ja|erkannt|oui|détectée?|s[ií]|sì|sim|detectad[oa]|rilevat[oa]|gedetecteerd|да|обнаружен\pL*|是|有|はい|あり|検知)[.!]?$`)

	testPhrase = words(`(?:e\s?-?mail|mail|smtp)[\s-]test|test(?:ing)?[\s-](?:the\s|of\s)?(?:e\s?-?mail|mail|message|smtp)(?:\sfunction)?|test\s(?:notification|alert)|successfully\sset\sup\sand\stested|
		test\s?-?(?:nachricht|e?-?mail)|testmail|e-?mail-?test|(?:e-?mail|courriel|message|mail)\sde\stest|test\s(?:d'e-?mail|de\s(?:la\s)?messagerie)|(?:correo|mensaje|e-?mail)\s(?:electrónico\s)?de\sprueba|prueba\sde\s(?:correo|e-?mail)|(?:e-?mail|messaggio|posta)\sdi\s(?:prova|test)|(?:e-?mail|mensagem|correio)\sde\steste|teste\sde\se-?mail|test\s?-?bericht|
		тестов\pL*\s(?:сообщени\pL*|письм\pL*|e-?mail)|проверочн\pL*\s(?:сообщени\pL*|письм\pL*)|(?:тест|проверка)\s(?:почты|e-?mail|smtp)`,
		`测试邮件|邮件测试|测试信息|测试消息|測試郵件|郵件測試|テストメール|メールテスト|テストメッセージ|テスト送信|this\sis\s(?:only\s)?a\stest(?:[.!]|\s*$)`)
	testWord = regexp.MustCompile(`(?i)^[\s!.\[\]()-]*(?:test|testing|prueba|teste|prova|essai|тест|проверка|测试|測試|テスト)[\s!.\[\]()-]*$`)
)

// classify finds label, notice and test. What the fields say that name the event comes before the subject, and that before
// the other text. Names of cameras are no news: an alarm of a camera that is called "Test" or "Car park" is what its
// event says. A notice is only what the mail's own event field, or failing that its subject, says and nothing beside: a
// mail that speaks of a battery in some other place is an alarm, since a clip too many is better than one too few.
func (m *Message) classify() {
	var events, rest []string
	for l := range strings.Lines(m.Body) {
		f, ok := field(strings.TrimSpace(l))
		r := roles[plainKey(f.Key)]
		switch {
		case !ok, r == roleNone && !refused.MatchString(f.Value) && !affirmed.MatchString(f.Value):
			rest = append(rest, l)
		case refused.MatchString(f.Value):
		case r == roleEvent:
			events = append(events, f.Value)
		case r == roleNone:
			events = append(events, f.Key)
		}
	}
	event, subject, text := happened(strings.Join(events, "\n")), m.without(m.Subject), m.without(strings.Join(rest, " "))
	if m.Label = find(labels, event); m.Label != "" {
		return
	}
	m.notice(events)
	if m.Notice != "" {
		return
	}
	if testPhrase.MatchString(event) || testWord.MatchString(event) || testPhrase.MatchString(subject) || testPhrase.MatchString(cut(text)) {
		m.Test = true
		return
	}
	subject, text = happened(subject), happened(text)
	if m.Label = first(find(labels, subject), find(labels, text)); m.Label != "" {
		return
	}
	if find(notices, subject) == "" && find(notices, text) == "" {
		m.Test = testWord.MatchString(m.Subject) || m.Subject == "" && testWord.MatchString(m.Body)
	}
	if events == nil {
		m.notice([]string{subject})
	}
}

// notice takes a notice from texts of which one is nothing but a notice, and none speaks of an alarm.
func (m *Message) notice(texts []string) {
	for _, t := range texts {
		t = happened(t)
		if outweighs.MatchString(t) {
			m.Notice, m.Noticed = "", ""
			return
		}
		if name := onlyNotice(t); name != "" && m.Notice == "" {
			m.Notice, m.Noticed = name, t
		}
	}
}

// onlyNotice returns the class of notices that a text speaks of, "" if it speaks of something else, too.
func onlyNotice(text string) string {
	name := find(notices, text)
	if name == "" {
		return ""
	}
	text = " " + text + " "
	for _, c := range notices {
		for range 8 { // neighbours share the border between them
			less := c.words.ReplaceAllString(text, "  ")
			if less == text {
				break
			}
			text = less
		}
	}
	for w := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) }) {
		if r, _ := utf8.DecodeRuneInString(w); !around[w] && !unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) {
			return ""
		}
	}
	return name
}

// around is the words that stand around a notice and say nothing.
var around = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(`a an the this is are was were has have had been be of on at in to from for by and or no not your its it with
		event events type notification notifications notice message mail email info information warning warn critical exception error errors failure failed fault status report state
		device camera cameras cam ipc ip ipcam webcam nvr dvr xvr hvr recorder system channel ch name time date number id unit server host
		occurred occurs happened abnormal full low high lost missing inserted empty unformatted uninitialized recovered restored removed changed completed success successful successfully
		lan wan eth smart local remote user admin account web main sub new old please check soon now again available
		ereignis typ meldung benachrichtigung nachricht hinweis warnung fehler störung zustand gerät kamera rekorder kanal der die das ein eine einer ist sind wurde wird hat im in am an auf von vom für und oder bei voll leer fehlt
		événement erreur avertissement appareil caméra canal le la les l un une du de des d est a été au aux sur pour et plein pleine
		evento error errore erro aviso avviso notificación notifica notificação dispositivo cámara câmera telecamera el los las il lo gli i o os as del della do da dos das un una uno um uma es è é ha en nel no na por per para y e lleno llena pieno piena cheio cheia
		gebeurtenis fout waarschuwing melding apparaat het een van op voor en vol
		событие тип сообщение уведомление ошибка устройство камера канал регистратор в на с и для сбой заполнен`) {
		m[w] = true
	}
	return m
}()

// outweighs is the words by which a mail says that it is an alarm, whatever else it speaks of.
var outweighs = words(`alarm(?:s|ed|ing)?|alerts?|alerting|detect(?:ed|ion|s)|alarme|alerte|alarma|alerta|allarme|allerta|erkannt|erkennung|détectée?s?|détection|detectad[oa]s?|detección|detecção|rilevat[oaie]|rilevamento|gedetecteerd|detectie|тревог\pL*|обнаружен\pL*`,
	`报警|報警|警报|警報|告警|检测到|偵測|アラーム|検知|検出`)

// happened leaves out of a text what only looks like news: addresses, and what did not happen.
func happened(text string) string {
	return denied.ReplaceAllString(addresses.ReplaceAllString(cut(text), " "), " ")
}

// cut bounds a text that is searched.
func cut(text string) string { return text[:min(len(text), maxSearched)] }

// without leaves the names of channel and device out of a text.
func (m *Message) without(text string) string {
	for _, name := range []string{m.Channel, m.Device} {
		if len(name) > 2 {
			text = strings.ReplaceAll(text, name, " · ")
		}
	}
	return text
}
