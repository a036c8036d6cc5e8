/* tests/authd/jwt_vectors - the keys and tokens of RFC 7515 and RFC 8037, three keys that count
 * among others that do not. */
#ifndef TESTS_AUTHD_JWT_VECTORS_H
#define TESTS_AUTHD_JWT_VECTORS_H

#define PAYLOAD_OF_RFC7515                                                                         \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cn"   \
    "VlfQ"

/* HMAC: RFC 7515 appendix A.1; EC: appendix A.3; OKP: RFC 8037 appendix A.2. The others are too
 * short, not for signatures, or unknown. */
#define JWT_KEYS                                                                                   \
    "{\"keys\":["                                                                                  \
    "{\"kty\":\"oct\",\"kid\":\"a\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH7" \
    "5aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"},"                                                        \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","     \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"                                      \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}," \
    "{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"},{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AA\"},"       \
    "{\"kty\":\"EC\",\"use\":\"enc\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"},7]}"

#define HS256_TOKEN                                                                                \
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." PAYLOAD_OF_RFC7515                                 \
    ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define ES256_TOKEN                                                                                \
    "eyJhbGciOiJFUzI1NiJ9." PAYLOAD_OF_RFC7515                                                     \
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define EDDSA_TOKEN                                                                                \
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."                                    \
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"

#endif
