/** What controllers may ask to be given. */
export const tokens = {
  images: Symbol('Images'),
  members: Symbol('Members'),
  metadefs: Symbol('Metadefs'),
  tasks: Symbol('Tasks'),
  staging: Symbol('StagingArea'),
  engine: Symbol('ImportEngine'),
  urlFilter: Symbol('UrlFilter'),
  imageData: Symbol('ImageData'),
  imageLocations: Symbol('ImageLocations'),
  sharing: Symbol('ImageSharing'),
  stores: Symbol('Stores'),
  settings: Symbol('ApiSettings'),
  traffic: Symbol('Traffic'),
  baseUrl: Symbol('BaseUrl'),
  imageView: Symbol('imageView'),
  versions: Symbol('versions'),
} as const;
