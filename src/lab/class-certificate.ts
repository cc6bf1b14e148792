// The certificate of the classroom's web server, and its key, which is no secret: it proves nothing to anybody who has not been told to
// believe it. Ed25519, so that signatures have one length; self-signed, valid from 2020 to 2120, for www.class.example and 192.168.32.80.
// Owns: the two texts. Does not own: TLS (Node).

/** The certificate, which is its own authority: what a client is told to believe. PEM. */
export const CLASS_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBNjCB6aADAgECAgEBMAUGAytlcDAcMRowGAYDVQQDDBF3d3cuY2xhc3MuZXhh
bXBsZTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowHDEaMBgGA1UE
AwwRd3d3LmNsYXNzLmV4YW1wbGUwKjAFBgMrZXADIQB1i+Prw71VY+zq552U7uOB
6KLiZRbtzKBloCF0uNP4haNOMEwwNgYDVR0RBC8wLYIRd3d3LmNsYXNzLmV4YW1w
bGWCEnd3dzYuY2xhc3MuZXhhbXBsZYcEwKggUDASBgNVHRMBAf8ECDAGAQH/AgEA
MAUGAytlcANBAJXPo4+n6dvDSMEVQ/WkPvUT4LzH/4cUFeIpL9q5pbDwUko9ivjN
aZH+rlMqDlWYjWnx7gyR+v826/1/np6Jrwg=
-----END CERTIFICATE-----
`

/** Its private key, for the server of the classroom alone. PEM. */
export const CLASS_KEY = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIK/Oocpnk5/j2KhpJ1Vnx6/6NbKfb/wuYviJ9v/VJJYh
-----END PRIVATE KEY-----
`
