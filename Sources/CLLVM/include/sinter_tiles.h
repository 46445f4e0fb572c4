/* sinter_tiles.h: the system's permission to use tiles, whose registers are large. */
#ifndef SINTER_TILES_H
#define SINTER_TILES_H

/* Asks the system to let this process and the threads that it begins from now on use tiles. 0: they may. */
int sinter_permit_tiles(void);

#endif
