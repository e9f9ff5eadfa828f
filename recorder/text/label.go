package text

// What an alarm is about. The code of a label is "label-" and the label itself.
var (
	LabelDoorbell        = define("label-doorbell", "doorbell")
	LabelPerson          = define("label-person", "person")
	LabelVehicle         = define("label-vehicle", "vehicle")
	LabelAnimal          = define("label-animal", "animal")
	LabelLineCrossing    = define("label-line-crossing", "line crossing")
	LabelIntrusion       = define("label-intrusion", "intrusion")
	LabelTamper          = define("label-tamper", "tamper")
	LabelSound           = define("label-sound", "sound")
	LabelFire            = define("label-fire", "fire")
	LabelTemperature     = define("label-temperature", "temperature")
	LabelAbandonedObject = define("label-abandoned-object", "abandoned object")
	LabelAlarmInput      = define("label-alarm-input", "alarm input")
	LabelMotion          = define("label-motion", "motion")
	LabelAlarm           = define("label-alarm", "alarm")
	LabelManual          = define("label-manual", "manual")
)
