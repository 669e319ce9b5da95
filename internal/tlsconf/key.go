package tlsconf

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // PBKDF2's default in RFC 8018; keys in use have it
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"hash"
)

// Errors of keys with a passphrase.
var (
	errNeedsPass = errors.New("the key has a passphrase and none was given")
	errWrongPass = errors.New("the passphrase does not open the key")
	errOldKey    = errors.New("the key is encrypted in a way that cannot be read; 'openssl pkcs8 -topk8 -in OLD -out NEW' makes one that can (PKCS #8 with PBKDF2 and AES)")
)

// openKey returns the PEM of a key without its passphrase, if it had one.
func openKey(text []byte, pass string) ([]byte, error) {
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return text, nil // whoever parses it says what is missing
		}
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" && pass == "":
			return nil, errNeedsPass
		case block.Type == "ENCRYPTED PRIVATE KEY":
			der, err := decryptPKCS8(block.Bytes, pass)
			if err != nil {
				return nil, err
			}
			return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
		case block.Headers["DEK-Info"] != "":
			return nil, errOldKey
		}
	}
}

// What RFC 5958 (encrypted PKCS #8) and RFC 8018 (PBES2, PBKDF2) have.
type (
	encryptedKey struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	pbes2 struct {
		KDF, Cipher pkix.AlgorithmIdentifier
	}
	pbkdf2Params struct {
		Salt       []byte
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
)

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
)

// prfs are the hashes of PBKDF2's HMAC.
var prfs = map[string]func() hash.Hash{
	"":                    sha1.New, // the default
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
	"1.2.840.113549.2.8":  sha256.New224,
}

// keySizes are those of AES in CBC mode, in bytes.
var keySizes = map[string]int{
	"2.16.840.1.101.3.4.1.2":  16,
	"2.16.840.1.101.3.4.1.22": 24,
	"2.16.840.1.101.3.4.1.42": 32,
}

// maxIterations bounds the work on a key; today's have thousands to a million.
const maxIterations = 20_000_000

// decryptPKCS8 opens what 'openssl pkcs8 -topk8' and 'openssl genpkey -aes256'
// write.
func decryptPKCS8(der []byte, pass string) ([]byte, error) {
	var key encryptedKey
	var scheme pbes2
	var kdf pbkdf2Params
	var iv []byte
	if !unmarshal(der, &key) || !key.Algorithm.Algorithm.Equal(oidPBES2) ||
		!unmarshal(key.Algorithm.Parameters.FullBytes, &scheme) || !scheme.KDF.Algorithm.Equal(oidPBKDF2) ||
		!unmarshal(scheme.KDF.Parameters.FullBytes, &kdf) || !unmarshal(scheme.Cipher.Parameters.FullBytes, &iv) {
		return nil, errOldKey
	}
	prf, size := prfs[kdf.PRF.Algorithm.String()], keySizes[scheme.Cipher.Algorithm.String()]
	if prf == nil || size == 0 || len(iv) != aes.BlockSize || kdf.Iterations < 1 || kdf.Iterations > maxIterations ||
		len(key.Data) == 0 || len(key.Data)%aes.BlockSize != 0 {
		return nil, errOldKey
	}
	secret, err := pbkdf2.Key(prf, pass, kdf.Salt, kdf.Iterations, size)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(key.Data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, key.Data)
	// Padding: n bytes of the value n.
	n := int(plain[len(plain)-1])
	if n < 1 || n > aes.BlockSize || !bytes.HasSuffix(plain, bytes.Repeat([]byte{byte(n)}, n)) {
		return nil, errWrongPass
	}
	plain = plain[:len(plain)-n]
	if _, err := x509.ParsePKCS8PrivateKey(plain); err != nil {
		return nil, errWrongPass // one in 256 has good padding
	}
	return plain, nil
}

// unmarshal reads all of der.
func unmarshal(der []byte, to any) bool {
	rest, err := asn1.Unmarshal(der, to)
	return err == nil && len(rest) == 0
}
