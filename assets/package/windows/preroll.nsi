; Installer for Windows. Built by `make dist`:
;   makensis -DVERSION=0.2.0 -DNUMBERS=0.2.0.0 -DFILES=folder -DOUT=setup.exe preroll.nsi
Unicode true
SetCompressor /SOLID lzma
!include MUI2.nsh
!include x64.nsh
!include LogicLib.nsh

Name "Preroll"
OutFile "${OUT}"
InstallDir "$PROGRAMFILES64\Preroll"
InstallDirRegKey HKLM "Software\Preroll" "Folder"
RequestExecutionLevel admin
VIProductVersion "${NUMBERS}"
VIAddVersionKey ProductName "Preroll"
VIAddVersionKey FileDescription "Preroll setup"
VIAddVersionKey FileVersion "${VERSION}"
VIAddVersionKey ProductVersion "${VERSION}"
VIAddVersionKey LegalCopyright "The Preroll authors, MIT"
!define MUI_ICON "${FILES}\preroll.ico"
!define MUI_UNICON "${FILES}\preroll.ico"
!define KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\Preroll"

!insertmacro MUI_PAGE_LICENSE "${FILES}\LICENSE.txt"
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!define MUI_FINISHPAGE_RUN "$WINDIR\explorer.exe" ; so that it does not run as administrator
!define MUI_FINISHPAGE_RUN_PARAMETERS "$INSTDIR\preroll.exe"
!define MUI_FINISHPAGE_RUN_TEXT "Preroll"
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"
!insertmacro MUI_LANGUAGE "German"
!insertmacro MUI_LANGUAGE "French"

Function .onInit
  ${IfNot} ${RunningX64}
    MessageBox MB_OK|MB_ICONSTOP "Preroll needs a 64-bit Windows."
    Abort
  ${EndIf}
FunctionEnd

Section
  SetRegView 64
  SetShellVarContext all
  ; A running Preroll keeps its files open. It hands over or ends by itself when it is asked to.
  StrCpy $1 "1"
  ${If} ${FileExists} "$INSTDIR\preroll.com"
    nsExec::Exec '"$INSTDIR\preroll.com" service status'
    Pop $1 ; 0: the service runs
    nsExec::Exec '"$INSTDIR\preroll.com" service stop'
  ${EndIf}
  nsExec::Exec 'taskkill /IM preroll.exe'
  SetOutPath "$INSTDIR"
  File "${FILES}\preroll.exe"
  File "${FILES}\preroll.com"
  File "${FILES}\preroll.ico"
  File "${FILES}\LICENSE.txt"
  File "${FILES}\COPYRIGHT.txt"
  File "${FILES}\README.txt"
  ${If} $1 == "0"
    nsExec::Exec '"$INSTDIR\preroll.com" service start'
  ${EndIf}
  WriteUninstaller "$INSTDIR\uninstall.exe"
  CreateShortcut "$SMPROGRAMS\Preroll.lnk" "$INSTDIR\preroll.exe" "" "$INSTDIR\preroll.ico"
  ; Cameras send their alarm mails to this machine.
  nsExec::Exec 'netsh advfirewall firewall delete rule name="Preroll"'
  nsExec::Exec 'netsh advfirewall firewall add rule name="Preroll" dir=in action=allow program="$INSTDIR\preroll.exe" profile=private,domain enable=yes'
  nsExec::Exec 'netsh advfirewall firewall add rule name="Preroll" dir=in action=allow program="$INSTDIR\preroll.com" profile=private,domain enable=yes'
  WriteRegStr HKLM "Software\Preroll" "Folder" "$INSTDIR"
  WriteRegStr HKLM "${KEY}" "DisplayName" "Preroll"
  WriteRegStr HKLM "${KEY}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKLM "${KEY}" "DisplayIcon" "$INSTDIR\preroll.ico"
  WriteRegStr HKLM "${KEY}" "Publisher" "The Preroll authors"
  WriteRegStr HKLM "${KEY}" "URLInfoAbout" "https://github.com/preroll/preroll"
  WriteRegStr HKLM "${KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKLM "${KEY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKLM "${KEY}" "NoModify" 1
  WriteRegDWORD HKLM "${KEY}" "NoRepair" 1
SectionEnd

; Settings, events and clips stay.
Section "Uninstall"
  SetRegView 64
  SetShellVarContext all
  nsExec::Exec '"$INSTDIR\preroll.com" service uninstall'
  nsExec::Exec 'taskkill /IM preroll.exe'
  nsExec::Exec 'netsh advfirewall firewall delete rule name="Preroll"'
  Delete "$SMPROGRAMS\Preroll.lnk"
  Delete "$INSTDIR\preroll.exe"
  Delete "$INSTDIR\preroll.com"
  Delete "$INSTDIR\preroll.ico"
  Delete "$INSTDIR\LICENSE.txt"
  Delete "$INSTDIR\COPYRIGHT.txt"
  Delete "$INSTDIR\README.txt"
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
  DeleteRegKey HKLM "${KEY}"
  DeleteRegKey HKLM "Software\Preroll"
  DeleteRegValue HKCU "Software\Microsoft\Windows\CurrentVersion\Run" "Preroll"
SectionEnd
