"""Keys, certificates and kubeconfigs of one run, created by openssl below $CLUSTER_RUN/pki; useless outside of it."""
import os
import subprocess

PKI = os.path.join(os.environ["CLUSTER_RUN"], "pki")
KUBECONFIG = """apiVersion: v1
kind: Config
clusters: [{{name: tests, cluster: {{server: "https://127.0.0.1:16443", certificate-authority: "{pki}/ca.crt"}}}}]
users: [{{name: {user}, user: {{client-certificate: "{pki}/{user}.crt", client-key: "{pki}/{user}.key"}}}}]
contexts: [{{name: tests, context: {{cluster: tests, user: {user}}}}}]
current-context: tests
"""


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], cwd=PKI, check=True, capture_output=True)


def key(name):
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")


def authority(name):
    key(name)
    openssl("req", "-x509", "-new", "-key", f"{name}.key", "-days", "30", "-subj", f"/CN={name}", "-out", f"{name}.crt",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")


def leaf(name, by, subject, usage, names=""):
    """A certificate signed by an authority; `names` are subject alternative names in openssl's notation."""
    key(name)
    lines = ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature", f"extendedKeyUsage={usage}"]
    lines += [f"subjectAltName={names}"] if names else []
    with open(f"{PKI}/{name}.ext", "w") as out:
        out.write("\n".join(lines) + "\n")
    openssl("req", "-new", "-key", f"{name}.key", "-subj", subject, "-out", f"{name}.csr")
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{by}.crt", "-CAkey", f"{by}.key", "-CAcreateserial",
            "-days", "30", "-extfile", f"{name}.ext", "-out", f"{name}.crt")


def text(name):
    with open(f"{PKI}/{name}") as file:
        return file.read()


def make():
    """Creates everything that the control plane and KEDA need."""
    os.makedirs(f"{PKI}/keda", exist_ok=True)
    for name in ("ca", "front-proxy-ca", "keda-ca"):
        authority(name)
    leaf("apiserver", "ca", "/CN=kube-apiserver", "serverAuth", "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,"
         "DNS:kubernetes.default.svc,IP:127.0.0.1,IP:10.96.0.1")
    leaf("admin", "ca", "/O=system:masters/CN=tests-admin", "clientAuth")
    leaf("kcm", "ca", "/CN=system:kube-controller-manager", "clientAuth")
    leaf("keda", "ca", "/O=system:masters/CN=keda-operator", "clientAuth")
    leaf("front-proxy-client", "front-proxy-ca", "/CN=front-proxy-client", "clientAuth")
    leaf("keda/tls", "keda-ca", "/CN=keda-operator", "serverAuth,clientAuth", "DNS:localhost,DNS:keda-operator,"
         "DNS:keda-operator.keda.svc,DNS:keda-admission-webhooks.keda.svc,IP:127.0.0.1")
    with open(f"{PKI}/keda/ca.crt", "w") as out:
        out.write(text("keda-ca.crt"))
    openssl("genrsa", "-out", "sa.key", "2048")
    openssl("rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")
    for user in ("admin", "kcm", "keda"):
        with open(f"{PKI}/{user}.kubeconfig", "w") as out:
            out.write(KUBECONFIG.format(pki=PKI, user=user))
