# A thin last step over the finished disk image: starts it, provisions by SSH, forgets what made it one machine, writes checksums.
# For Debian's Packer 1.6.6 (builders built in) and for current ones: `packer init plugins/`, then `packer build bentevi.pkr.hcl`
# (the file, not the folder). credential: base64 of the answers with your public key; see docs/os-image.md.
packer {
  required_version = ">= 1.6.5"
}

variable "image" {
  type = string
}

variable "output" {
  type    = string
  default = "output"
}

variable "accelerator" {
  type    = string
  default = "kvm"
}

variable "ssh_key" {
  type = string
}

variable "credential" {
  type = string
}

# Of the administrator, as the credential's BENTEVI_PASSHASH has it: sealing needs root. The seal takes it away again.
variable "password" {
  type      = string
  sensitive = true
}

source "qemu" "appliance" {
  iso_url                  = var.image
  iso_checksum             = "none"
  disk_image               = true
  use_backing_file         = false
  format                   = "qcow2"
  disk_interface           = "virtio"
  net_device               = "virtio-net-pci"
  accelerator              = var.accelerator
  headless                 = true
  disk_size                = "24G"
  memory                   = 2048
  cpus                     = 2
  output_directory         = var.output
  vm_name                  = "bentevi.qcow2"
  skip_compaction          = true
  ssh_username             = "admin"
  ssh_private_key_file     = var.ssh_key
  ssh_timeout              = "15m"
  ssh_file_transfer_method = "sftp" # the appliance has no scp
  ssh_handshake_attempts   = 200
  shutdown_command         = "sudo -n systemctl poweroff"
  shutdown_timeout         = "5m"
  boot_wait                = "1s"
  qemuargs = [
    ["-cpu", "max"],
    ["-smbios", "type=11,value=io.systemd.credential.binary:bentevi.install=${var.credential}"]
  ]
}

build {
  sources = ["source.qemu.appliance"]

  provisioner "shell" {
    inline = [
      "systemctl is-system-running --wait",
      "timeout 1800 sh -c 'until bentevi status > /tmp/status; do sleep 10; done' || { cat /tmp/status; bentevi logs --no-pager; exit 1; }",
      "cat /tmp/status; rm /tmp/status"
    ]
  }

  provisioner "shell" {
    script          = "scripts/seal.sh"
    execute_command = "echo '${var.password}' | sudo -S sh {{ .Path }}"
  }

  post-processor "checksum" {
    checksum_types = ["sha256"]
    output         = "${var.output}/bentevi.{{.ChecksumType}}"
  }
}
