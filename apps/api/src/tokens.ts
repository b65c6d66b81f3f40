/** What controllers may ask to be given. */
export const tokens = {
  images: Symbol('Images'),
  members: Symbol('Members'),
  metadefs: Symbol('Metadefs'),
  imageData: Symbol('ImageData'),
  stores: Symbol('Stores'),
  settings: Symbol('ApiSettings'),
  traffic: Symbol('Traffic'),
  baseUrl: Symbol('BaseUrl'),
  imageView: Symbol('imageView'),
  versions: Symbol('versions'),
} as const;
