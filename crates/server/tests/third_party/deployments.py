"""What is in deploy/, held against the schemas of Kubernetes and of Compose, and against itself.

Usage: deployments.py kubernetes|compose DIRECTORY    a copy of deploy/, with the secrets in their places
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import yaml
from compose_spec import PyCompose

# Of Kubernetes: the oldest that we say it runs on, and one that is current.
VERSIONS = ("1.31", "1.37")


def documents(text):
    return [one for one in yaml.safe_load_all(text) if one]


def manifests(folder):
    found = []
    for path in sorted(folder.rglob("*.yaml")):
        if path.name != "kustomization.yaml":
            found += documents(path.read_text())
    return found


def rendered(overlay):
    """What would be applied; None where there is no kubectl, which needs no cluster for this."""
    if shutil.which("kubectl") is None:
        print("NOT RUN: rendering the overlays: there is no kubectl")
        return None
    made = subprocess.run(["kubectl", "kustomize", overlay], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return documents(made.stdout)


def fit_schemas(resources):
    for version in VERSIONS:
        for resource in resources:
            kubernetes_validate.validate(resource, version, strict=True)


def of_kind(resources, kind):
    return [one for one in resources if one["kind"] == kind]


def is_restricted(pod):
    """As the Pod Security Standards have it, and a read-only root."""
    assert pod["automountServiceAccountToken"] is False
    context = pod["securityContext"]
    assert context["runAsNonRoot"] and context["runAsUser"] > 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not any(key in pod for key in ("hostNetwork", "hostPID", "hostIPC"))
    assert all(set(volume) <= {"name", "configMap", "secret", "emptyDir"} for volume in pod["volumes"])
    for container in pod["containers"]:
        own = container["securityContext"]
        assert own["readOnlyRootFilesystem"] and own["allowPrivilegeEscalation"] is False
        assert own["capabilities"] == {"drop": ["ALL"]}


def belongs_together(resources):
    """Selectors meet the pods, ports and mounts have their other ends."""
    (deployment,) = of_kind(resources, "Deployment")
    template = deployment["spec"]["template"]
    pod = template["spec"]
    is_restricted(pod)
    labels = template["metadata"]["labels"].items()
    (service,) = of_kind(resources, "Service")
    (budget,) = of_kind(resources, "PodDisruptionBudget")
    (policy,) = of_kind(resources, "NetworkPolicy")
    selectors = [one["labelSelector"]["matchLabels"] for one in pod["topologySpreadConstraints"]]
    selectors += [deployment["spec"]["selector"]["matchLabels"], service["spec"]["selector"]]
    selectors += [budget["spec"]["selector"]["matchLabels"], policy["spec"]["podSelector"]["matchLabels"]]
    for selector in selectors:
        assert selector and selector.items() <= labels, selector
    (container,) = pod["containers"]
    ports = {port["name"] for port in container["ports"]}
    probes = [container[name] for name in ("startupProbe", "livenessProbe", "readinessProbe")]
    used = {probe["httpGet"]["port"] for probe in probes}
    used |= {port["targetPort"] for port in service["spec"]["ports"]}
    used |= {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
    assert used == ports, used
    assert {mount["name"] for mount in container["volumeMounts"]} == {one["name"] for one in pod["volumes"]}
    for probe in probes:
        assert probe["httpGet"]["path"] in ("/health/liveness", "/health/readiness")


def has_what_it_mounts(resources):
    (deployment,) = of_kind(resources, "Deployment")
    there = {one["metadata"]["name"] for kind in ("ConfigMap", "Secret") for one in of_kind(resources, kind)}
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    mounted = {one.get("configMap", {}).get("name") or one["secret"]["secretName"] for one in volumes}
    assert mounted == there and "einmal-keys" in there, (mounted, there)


def kubernetes(deploy):
    folder = deploy / "kubernetes"
    resources = manifests(folder)
    fit_schemas(resources)
    belongs_together(resources)
    whole = rendered(folder / "example")
    if whole:
        fit_schemas(whole)
        belongs_together(whole)
        has_what_it_mounts(whole)
        # With the component that is optional.
        kustomization = folder / "example" / "kustomization.yaml"
        text = kustomization.read_text()
        kustomization.write_text(text.replace("# components:\n#   -", "components:\n  -"))
        scaled = rendered(folder / "example")
        fit_schemas(scaled)
        (scaler,) = of_kind(scaled, "HorizontalPodAutoscaler")
        (deployment,) = of_kind(scaled, "Deployment")
        assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
        assert "replicas" not in deployment["spec"]
    print(f"{len(resources)} resources fit")


def interpolated(value, variables):
    """As Compose does: in values, after YAML was read."""
    if isinstance(value, dict):
        return {key: interpolated(one, variables) for key, one in value.items()}
    if isinstance(value, list):
        return [interpolated(one, variables) for one in value]
    if not isinstance(value, str):
        return value

    def replaced(match):
        name, operator, default = match.groups()
        assert name in variables or operator == ":-", f"{name} is not set"
        return variables.get(name, default)

    return re.sub(r"\$\{([A-Z_]+)(:-|:\?)([^}]*)\}", replaced, value)


def compose(deploy):
    folder = deploy / "compose"
    lines = (folder / ".env").read_text().splitlines()
    whole = interpolated(yaml.safe_load((folder / "compose.yaml").read_text()), dict(line.split("=", 1) for line in lines))
    einmal = whole["services"]["einmal"]
    einmal["deploy"]["replicas"] = int(einmal["deploy"]["replicas"])
    PyCompose.from_yaml(yaml.safe_dump(whole))
    for name, service in whole["services"].items():
        assert set(service["networks"]) <= set(whole["networks"]), name
        assert set(service.get("secrets", [])) <= set(whole["secrets"]), name
        assert set(service.get("depends_on", [])) <= set(whole["services"]), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            there = (folder / source).exists() if source.startswith("./") else source in whole["volumes"]
            assert there, f"{name}: {volume}"
    for secret in whole["secrets"].values():
        assert (folder / secret["file"]).is_file(), secret
    assert einmal["read_only"] and einmal["cap_drop"] == ["ALL"] and not einmal["user"].startswith("0:")
    print(f"{len(whole['services'])} services fit")


if __name__ == "__main__":
    {"kubernetes": kubernetes, "compose": compose}[sys.argv[1]](Path(sys.argv[2]))
