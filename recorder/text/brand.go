package text

// Where the makers of cameras hide RTSP.
var (
	BrandAxis      = define("brand-axis", "RTSP is on. Make a user in the camera's web page under System > Accounts.")
	BrandHanwha    = define("brand-hanwha", "RTSP is on. Setup > Basic > Video profile shows the number of each stream; take one with H.264 or H.265.")
	BrandHikvision = define("brand-hikvision", "Configuration > Network > Advanced Settings > Integration Protocol, and the RTSP port under Basic Settings > Port.")
	BrandDahua     = define("brand-dahua", "RTSP is on. Its port is shown under Network > Port.")
	BrandReolink   = define("brand-reolink", "Switch RTSP on under Settings > Network > Advanced > Port Settings. Battery cameras have none.")
	BrandUniview   = define("brand-uniview", "RTSP is on. Its port is shown under Setup > Network > Port.")
	BrandTPLink    = define("brand-tplink", "Tapo: make a camera account in the app under Camera Settings > Advanced Settings > Camera Account, and use it here. VIGI: use the camera's own user.")
	BrandFoscam    = define("brand-foscam", "RTSP is on. Its port is shown under Settings > Network > Port; it is mostly that of the web page.")
	BrandOther     = define("brand-other", "Look for RTSP in the camera's web page or manual, switch it on, and correct the path here.")
	BrandOtherName = define("brand-other-name", "Other")
)
