package trigger

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/preroll/preroll/internal/durable"
)

// Certificate returns this installation's self-signed certificate, and creates it on first use. The key is RSA, which
// every camera understands. Cameras do not check the name in the certificate.
// dir is the state folder.
func Certificate(dir string) (*tls.Certificate, error) {
	file := filepath.Join(dir, "smtp-certificate.pem")
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		b, err = newCertificate(file)
	}
	if err != nil {
		return nil, fmt.Errorf("mail server's certificate: %w", err)
	}
	c, err := tls.X509KeyPair(b, b)
	if err != nil { // the file is cut off, or somebody replaced it by something else
		if err := os.Rename(file, file+".damaged"); err != nil {
			return nil, fmt.Errorf("mail server's certificate: %w", err)
		}
		if b, err = newCertificate(file); err == nil {
			c, err = tls.X509KeyPair(b, b)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("mail server's certificate %s: %w", file, err)
	}
	return &c, nil
}

func newCertificate(file string) ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "Preroll"},
		DNSNames:     []string{"preroll"},
		NotBefore:    time.Now().AddDate(-10, 0, 0), // the clocks of cameras are often wrong
		NotAfter:     time.Now().AddDate(30, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}

	cert, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	b = append(b, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})...)
	return b, durable.WriteFile(file, b, 0o600)
}
