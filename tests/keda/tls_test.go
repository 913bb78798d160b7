package keda

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority signs certificates for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key, encode("CERTIFICATE", der)}
}

// sign makes a certificate and its key, both PEM, for servers on this machine or for a client.
func (a *authority) sign(t *testing.T, usage x509.ExtKeyUsage) (cert, key string) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "test"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		ExtKeyUsage:  []x509.ExtKeyUsage{usage},
		DNSNames:     []string{"localhost", serviceName},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	private := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &private.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", secret)
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// serverTLS writes a server's files and returns its configuration; without a client authority there is no mTLS.
func serverTLS(t *testing.T, by, clients *authority) string {
	t.Helper()
	dir := t.TempDir()
	cert, key := by.sign(t, x509.ExtKeyUsageServerAuth)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := fmt.Sprintf("cert: '%s', key: '%s'", write("tls.crt", cert), write("tls.key", key))
	if clients != nil {
		config += fmt.Sprintf(", clientCa: '%s'", write("ca.crt", clients.pem))
	}
	return fmt.Sprintf("grpc: {tls: {%s}}", config)
}

func TestTLS(t *testing.T) {
	ours, other := newAuthority(t, "ours"), newAuthority(t, "other")
	server := start(t, "127.0.0.1", 0, serverTLS(t, ours, nil))
	metadata := map[string]string{"schedule": "- {exactly: 3}"}
	trusted := external(t, trigger("tls", server.grpc, metadata, map[string]string{"caCert": ours.pem}))
	if value, active := settled(t, trusted, "s2-forescale"); value != 3 || !active {
		t.Errorf("%v, %v", value, active)
	}
	unchecked := map[string]string{"schedule": "- {exactly: 3}", "enableTLS": "true", "unsafeSsl": "true"}
	if value, _ := settled(t, external(t, trigger("tls-unsafe", server.grpc, unchecked, nil)), "s2-forescale"); value != 3 {
		t.Errorf("%v", value)
	}
	for name, auth := range map[string]map[string]string{"another authority": {"caCert": other.pem}, "plaintext": nil} {
		if value, active, err := answer(external(t, trigger("tls", server.grpc, metadata, auth)), "s2-forescale"); err == nil {
			t.Errorf("%s: %v, %v", name, value, active)
		}
	}
}

func TestMutualTLS(t *testing.T) {
	ours, other := newAuthority(t, "ours"), newAuthority(t, "other")
	server := start(t, "127.0.0.1", 0, serverTLS(t, ours, ours))
	metadata := map[string]string{"schedule": "- {exactly: 3}"}
	auth := func(by *authority) map[string]string {
		cert, key := by.sign(t, x509.ExtKeyUsageClientAuth)
		return map[string]string{"caCert": ours.pem, "tlsClientCert": cert, "tlsClientKey": key}
	}
	known := external(t, trigger("mtls", server.grpc, metadata, auth(ours)))
	if value, active := settled(t, known, "s2-forescale"); value != 3 || !active {
		t.Errorf("%v, %v", value, active)
	}
	for name, auth := range map[string]map[string]string{
		"no certificate":      {"caCert": ours.pem},
		"another authority's": auth(other),
		"plaintext":           nil,
	} {
		scaler := external(t, trigger("mtls", server.grpc, metadata, auth))
		if value, active, err := answer(scaler, "s2-forescale"); err == nil {
			t.Errorf("%s: %v, %v", name, value, active)
		}
	}
}
