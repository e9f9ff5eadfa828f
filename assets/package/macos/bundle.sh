#!/bin/sh
# Makes Preroll.app and a .dmg. Run on a Mac, because the window is built with Apple's frameworks:
#   assets/package/macos/bundle.sh VERSION
# To sign, set CODESIGN_IDENTITY; to notarize, also NOTARY_PROFILE (xcrun notarytool store-credentials).
set -eu
version=${1:?usage: bundle.sh VERSION}
cd "$(dirname "$0")/../../.."
[ "$(uname -s)" = Darwin ] || { echo "This runs on a Mac only." >&2; exit 1; }
out=dist/Preroll.app
rm -rf "$out"
mkdir -p "$out/Contents/MacOS" "$out/Contents/Resources" .build/icon.iconset
for arch in arm64 amd64; do
	CGO_ENABLED=1 GOARCH=$arch go build -trimpath -ldflags '-s -w' -o ".build/preroll-$arch" .
done
lipo -create -output "$out/Contents/MacOS/preroll" .build/preroll-arm64 .build/preroll-amd64
for size in 16 32 128 256 512; do
	sips -z $size $size assets/icon.png --out ".build/icon.iconset/icon_${size}x${size}.png" >/dev/null
	sips -z $((size * 2)) $((size * 2)) assets/icon.png --out ".build/icon.iconset/icon_${size}x${size}@2x.png" >/dev/null
done
iconutil -c icns .build/icon.iconset -o "$out/Contents/Resources/Preroll.icns"
cat >"$out/Contents/Info.plist" <<PLIST
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
	<key>CFBundleName</key><string>Preroll</string>
	<key>CFBundleIdentifier</key><string>io.github.preroll.Preroll</string>
	<key>CFBundleExecutable</key><string>preroll</string>
	<key>CFBundleIconFile</key><string>Preroll</string>
	<key>CFBundlePackageType</key><string>APPL</string>
	<key>CFBundleShortVersionString</key><string>$version</string>
	<key>CFBundleVersion</key><string>$version</string>
	<key>LSMinimumSystemVersion</key><string>11.0</string>
	<key>LSUIElement</key><true/>
	<key>NSHighResolutionCapable</key><true/>
	<key>NSLocalNetworkUsageDescription</key><string>Preroll records the cameras in your network.</string>
</dict></plist>
PLIST
if [ -n "${CODESIGN_IDENTITY:-}" ]; then
	codesign --force --options runtime --timestamp --sign "$CODESIGN_IDENTITY" "$out"
else
	codesign --force --sign - "$out"
fi
hdiutil create -volname Preroll -srcfolder "$out" -ov -format UDZO "dist/preroll-$version-macos.dmg"
if [ -n "${NOTARY_PROFILE:-}" ]; then
	xcrun notarytool submit "dist/preroll-$version-macos.dmg" --keychain-profile "$NOTARY_PROFILE" --wait
	xcrun stapler staple "dist/preroll-$version-macos.dmg"
fi
