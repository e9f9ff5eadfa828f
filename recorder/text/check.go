package text

// Results of a check that are good, or nearly.
var (
	CheckFFmpeg       = define("check-ffmpeg", "version %s (%s)")
	NoCameraYet       = define("no-camera-yet", "no camera is set up yet")
	NoCameraYetHint   = define("no-camera-yet-hint", "Add one in the window's settings, or a [[camera]] in the settings file.")
	PathBreaks        = define("path-breaks", "%s %s")
	IsRAM             = define("is-ram", "%s is RAM (%s), %s free")
	ArchivePathHint   = define("archive-path-hint", "Choose another folder in archive.path.")
	ArchiveLittle     = define("archive-little", "%s has %s free, less than archive.min_free (%s)")
	ArchiveLittleHint = define("archive-little-hint", "The oldest events will be deleted until that much is free.")
	ArchiveWritable   = define("archive-writable", "%s can be written, %s free")
	RecorderListens   = define("recorder-listens", "the running recorder listens on %s")
	PortFree          = define("port-free", "port %s is free")
	NotTried          = define("not-tried", "switched off, not tried")
	CheckRecording    = define("check-recording", "recording: %s, %.1f Mbit/s, keyframe every %.1f s, %.0f s in RAM")
	Answers           = define("answers", "answers: %s")
	FramesASecond     = define("frames-a-second", "%g frames a second")
	SoundIs           = define("sound-is", "sound %s")
	NoSound           = define("no-sound", "no sound")
)
