package discover

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/preroll/preroll/recorder/status"
)

// answer returns the answer of a camera, in the shape of the example in the ONVIF core specification.
func answer(id, types, scopes, xaddrs string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope" xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dn="http://www.onvif.org/ver10/network/wsdl">
<SOAP-ENV:Header><wsa:MessageID>uuid:84ede3de-7dec-11d0-c360-f01234567890</wsa:MessageID><wsa:RelatesTo>uuid:0</wsa:RelatesTo>
<wsa:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</wsa:Action></SOAP-ENV:Header>
<SOAP-ENV:Body><d:ProbeMatches><d:ProbeMatch><wsa:EndpointReference><wsa:Address>` + id + `</wsa:Address></wsa:EndpointReference>
<d:Types>` + types + `</d:Types><d:Scopes>` + scopes + `</d:Scopes><d:XAddrs>` + xaddrs + `</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion>
</d:ProbeMatch></d:ProbeMatches></SOAP-ENV:Body></SOAP-ENV:Envelope>`
}

const nvt = "dn:NetworkVideoTransmitter"

func TestRead(t *testing.T) {
	from, over := netip.MustParseAddr("192.168.1.20"), netip.MustParsePrefix("192.168.1.5/24")
	long := strings.Repeat("x", 500)
	for _, tc := range []struct {
		name, answer string
		want         []status.DiscoveredCamera
	}{
		{"camera", answer("uuid:1", nvt,
			"onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/name/HIKVISION%20DS-2CD2042WD onvif://www.onvif.org/hardware/DS-2CD2042WD", "http://192.168.1.20/onvif/device_service"),
			[]status.DiscoveredCamera{{Address: "192.168.1.20", Name: "HIKVISION DS-2CD2042WD", Model: "DS-2CD2042WD",
				Brand: "Hikvision"}}},
		{"brand by another scope", answer("uuid:1", nvt,
			"onvif://www.onvif.org/name/IPCAM onvif://www.onvif.org/manufacturer/Dahua", "http://192.168.1.20/"),
			[]status.DiscoveredCamera{{Address: "192.168.1.20", Name: "IPCAM", Brand: "Dahua / Amcrest"}}},
		{"known by its scopes", answer("uuid:1", "tds:Device", "onvif://www.onvif.org/Name/x", ""),
			[]status.DiscoveredCamera{{Address: "192.168.1.20", Name: "x"}}},
		{"the address of this network",
			answer("uuid:1", nvt, "", "http://10.0.0.9/x http://[fe80::1]/x http://192.168.1.21:8080/x"),
			[]status.DiscoveredCamera{{Address: "192.168.1.21"}}},
		{"the address that it answered from", answer("uuid:1", nvt, "", "http://192.168.1.21/x http://192.168.1.20/x"),
			[]status.DiscoveredCamera{{Address: "192.168.1.20"}}},
		{"an address elsewhere", answer("uuid:1", nvt, "", "http://10.0.0.9/x"),
			[]status.DiscoveredCamera{{Address: "10.0.0.9"}}},
		{"addresses that are none", answer("uuid:1", nvt, "",
			"http://0.0.0.0/ http://127.0.0.1/ http://239.1.1.1/ http://cam/ ::: http://%zz/"),
			[]status.DiscoveredCamera{{Address: "192.168.1.20"}}},
		{"hostile words", answer("uuid:1", nvt,
			"onvif://www.onvif.org/name/%1b[31m%E2%80%AEevil%00 onvif://www.onvif.org/hardware/"+long, ""),
			[]status.DiscoveredCamera{{Address: "192.168.1.20", Name: "[31mevil", Model: long[:maxWords]}}},
		{"bad escape", answer("uuid:1", nvt, "onvif://www.onvif.org/name/100%zz", ""),
			[]status.DiscoveredCamera{{Address: "192.168.1.20", Name: "100%zz"}}},
		{"another charset", strings.Replace(answer("uuid:1", nvt, "onvif://www.onvif.org/name/K\xfcche", ""), "UTF-8",
			"ISO-8859-1", 1), []status.DiscoveredCamera{{Address: "192.168.1.20", Name: "Kche"}}},
		{"printer", answer("uuid:1", "wsdp:Device wprt:PrintDeviceType", "", "http://192.168.1.20/"), nil},
		{"entity", `<!DOCTYPE x [<!ENTITY a "b">]>` + answer("&a;", nvt, "", ""), nil},
		{"cut", answer("uuid:1", nvt, "", "")[:300], nil},
		{"no XML", "HTTP/1.1 200 OK", nil},
		{"empty", "", nil},
	} {
		var got []status.DiscoveredCamera
		for _, d := range read([]byte(tc.answer), from, over) {
			got = append(got, d.DiscoveredCamera)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

// TestSearch probes a responder on loopback that sends good and bad answers.
func TestSearch(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	asked := map[string]int{} // kind and message id to the number of times
	var serving sync.WaitGroup
	serving.Go(func() {
		b := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			var q struct {
				ID    string `xml:"Header>MessageID"`
				Types string `xml:"Body>Probe>Types"`
			}
			if err := xml.Unmarshal(b[:n], &q); err != nil || !strings.HasPrefix(q.ID, "uuid:") {
				t.Errorf("%v: %s", err, b[:n])
			}
			mu.Lock()
			asked[q.Types+" "+q.ID]++
			mu.Unlock()
			for _, a := range []string{
				answer("urn:uuid:b", nvt, "onvif://www.onvif.org/name/B onvif://www.onvif.org/hardware/RLC-810A",
					"http://127.0.0.30/"),
				answer("urn:uuid:a", nvt, "onvif://www.onvif.org/name/A", "http://127.0.0.4/"),
				answer("urn:uuid:a", nvt, "onvif://www.onvif.org/name/A", "http://127.0.0.5/"), // another network of A
				answer("urn:uuid:c", nvt, "onvif://www.onvif.org/name/A", "http://127.0.0.4/"), // a new id each time
				answer("urn:uuid:d", nvt, strings.Repeat("onvif://www.onvif.org/name/huge ", 300), "http://127.0.0.6/"),
				"garbage",
			} {
				if _, err := conn.WriteToUDPAddrPort([]byte(a), from); err != nil {
					t.Error(err)
				}
			}
		}
	})
	began := time.Now()
	got, err := Search(t.Context(), conn.LocalAddr().(*net.UDPAddr).AddrPort())
	_ = conn.Close()
	serving.Wait()
	want := []status.DiscoveredCamera{{Address: "127.0.0.4", Name: "A"},
		{Address: "127.0.0.30", Name: "B", Model: "RLC-810A", Brand: "Reolink"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if took := time.Since(began); took < listenTime || took > listenTime+5*time.Second {
		t.Errorf("took %s", took)
	}
	if len(asked) != 2 {
		t.Errorf("asked %v", asked)
	}
	for k, n := range asked {
		if n != 2 {
			t.Errorf("%s was asked %d times", k, n)
		}
	}
}

func TestSearchIsBounded(t *testing.T) {
	var l list
	for i := range 2 * maxAnswers {
		if l.count() != (i < maxAnswers) {
			t.Fatalf("answer %d", i)
		}
		l.add([]device{{fmt.Sprint(i), status.DiscoveredCamera{Address: fmt.Sprintf("10.0.%d.%d", i/256, i%256)}}})
	}
	if n := len(l.sorted()); n != maxAnswers {
		t.Errorf("%d devices", n)
	}
}

func TestSearchEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Search(ctx, netip.MustParseAddrPort("127.0.0.1:9")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(answer("uuid:1", nvt, "onvif://www.onvif.org/name/a%20b onvif://www.onvif.org/hardware/x",
		"http://192.168.1.20/onvif/device_service")))
	f.Add([]byte(answer("", "tds:Device", "onvif://www.onvif.org/location/country/japan", "http://[2001:db8::1]/x")))
	f.Add([]byte(`<e:Envelope><e:Body/></e:Envelope>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, d := range read(b, netip.MustParseAddr("192.168.1.20"), netip.Prefix{}) {
			if _, err := netip.ParseAddr(d.Address); err != nil {
				t.Error(err)
			}
			for _, s := range []string{d.Name, d.Model} {
				if len([]rune(s)) > maxWords || strings.ContainsFunc(s, unicode.IsControl) {
					t.Errorf("%q", s)
				}
			}
		}
	})
}
