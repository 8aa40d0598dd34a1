# Only for current Packer; 1.6.6 refuses this block, which is why it stands apart.
packer {
  required_plugins {
    qemu = {
      source  = "github.com/hashicorp/qemu"
      version = "~> 1.1"
    }
  }
}
